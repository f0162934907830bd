"""Inputs to compare on: the user's own first, then seeded ones that fit the model's types, sizes and index ranges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from converter.errors import UsageError
from converter.runtimes.base import check_inputs
from ir.core import Model, Value
from ir.core.signature import Branch, Constant, Signature, Tree, tree_of
from ir.eval import EvaluationError, Evaluator, bind_shape
from ir.types import Assumption, Dim, DimExpr, TensorType, evaluate_dim, symbols
from ir.types.shape import evaluate_shape

Case = dict[str, np.ndarray]

SIZES = (2, 3, 1, 4, 2)
"""Sizes tried for a dynamic dim that nothing constrains, one a case."""

LARGE_SIZES = (8, 16, 32, 64, 128, 224)
"""Tried in turn when a model is too small-minded for SIZES: strides and pools need room."""


def as_array(value: Any) -> np.ndarray | None:
    """A leaf as an array: NumPy arrays and scalars, framework tensors, Python numbers; None for anything else."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        import torch

        from converter.runtimes.live_torch import to_array

        return to_array(torch, value)
    if isinstance(value, (bool, int, float, np.generic)) or hasattr(value, "__array__"):
        return np.asarray(value)
    return None


def input_arrays(inputs: Any, types: Mapping[str, TensorType]) -> Case:
    """The user's inputs by flat name.

    A dict is keyed by flat or parameter name (nested values allowed); a tuple, list or single array is in signature
    order. Python numbers take the dtype the model declares. Raises UsageError when the leaves do not fit the names.
    """
    if isinstance(inputs, Mapping):
        pairs = [pair for key, value in inputs.items() for pair in _leaves(value, str(key))]
        flat = dict(pairs)
    else:
        values = [v for _, v in _leaves(tuple(inputs) if isinstance(inputs, (list, tuple)) else (inputs,), "")]
        if len(values) != len(types):
            raise UsageError(f"{len(values)} inputs given, the model takes {len(types)}: {', '.join(types) or 'none'}")
        flat = dict(zip(types, values, strict=True))
    arrays = {}
    for name, value in flat.items():
        array = as_array(value)
        if array is None:
            raise UsageError(f"input {name}: a {type(value).__name__} is no array")
        if not hasattr(value, "dtype") and name in types:
            array = array.astype(types[name].dtype.numpy)
        arrays[name] = array
    return {**{n: arrays[n] for n in types if n in arrays}, **{n: a for n, a in arrays.items() if n not in types}}


def _leaves(value: Any, name: str) -> list[tuple[str, Any]]:
    def is_leaf(item: Any) -> bool:
        return not isinstance(item, (Mapping, list, tuple)) and item is not None

    return [(n.lstrip("."), v) for n, v in tree_of(value, name, is_leaf)[1]]


def has_values(inputs: Any) -> bool:
    """Whether the user gave values for every input, rather than specs or nothing."""
    try:
        leaves = _leaves(inputs, "")
    except TypeError:
        return False
    return bool(leaves) and all(not isinstance(v, str) and as_array(v) is not None for _, v in leaves)


def example_case(inputs: Any, model: Model) -> Case | None:
    """The user's example inputs as a case; None when they gave specs (or nothing) instead of values."""
    return input_arrays(_tensors(inputs, model.signature), model.input_types) if has_values(inputs) else None


def _tensors(inputs: Any, signature: Signature) -> Any:
    """The user's inputs without the plain values (`use_cache=False`) that the conversion has fixed."""
    fixed = {name for p in signature.parameters for name in _constants(p.tree, p.name)}
    if not fixed or not isinstance(inputs, (Mapping, list, tuple)):
        return inputs
    given = inputs.items() if isinstance(inputs, Mapping) else zip((p.name for p in signature.parameters), inputs)
    return {n: v for key, value in given for n, v in _leaves(value, str(key)) if n not in fixed}


def _constants(tree: Tree, name: str) -> Iterator[str]:
    """Flat names of the positions that hold plain values."""
    if isinstance(tree, Constant):
        yield name
    elif isinstance(tree, Branch):
        for key, child in zip(tree.keys or range(len(tree.children)), tree.children):
            yield from _constants(child, f"{name}.{key}")


def make_cases(model: Model, inputs: Any = None, seed: int = 0, count: int = 5) -> list[Case]:
    """The inputs of `evaluated_cases`."""
    return [case for case, _ in evaluated_cases(model, inputs, seed, count)]


def evaluated_cases(
    model: Model, inputs: Any = None, seed: int = 0, count: int = 5
) -> Iterator[tuple[Case, dict[str, np.ndarray]]]:
    """`count` cases, each with the model's outputs in the declared dtypes.

    The example comes first if values were given, then seeded ones, whose dynamic sizes differ from case to case.
    Raises UsageError when no seeded input fits (the model rejects each of the sizes tried): the user must give values.
    """
    example = example_case(inputs, model)
    if example is not None:
        check_inputs(example, model.input_types)
        yield example, Evaluator("exact").run(model, example)
    env = _example_sizes(model, example)
    highs = index_bounds(model)
    failures: list[str] = []
    for k in range(count - (example is not None)):
        rng = np.random.default_rng((seed, k))
        found = _first_that_runs(model, _size_choices(model, env, k), example, highs, rng, failures)
        if found is not None:
            yield found
        elif example is None and k == 0:
            last = failures[-1] if failures else "none"
            raise UsageError(f"no seeded input fits the model; give example inputs (last failure: {last})")


def _example_sizes(model: Model, example: Case | None) -> dict[str, int]:
    env: dict[str, int] = {}
    if example is not None:
        for value in model.graph.inputs:
            bind_shape(value.type.shape, example[value.name].shape, env)
    return env


def _size_choices(model: Model, env: Mapping[str, int], k: int) -> Iterable[dict[str, int]]:
    """Sizes to try for case `k`: varied first, the example's last; what the model assumes of them is met where it says
    what a size is."""
    names = list(dict.fromkeys(s.name for v in model.graph.inputs for d in v.type.shape for s in symbols(d)))
    if not names:
        return [{}]
    near = [{n: max(1, env[n] + SIZES[(k + i) % 5] - 3) for i, n in enumerate(names)}] if env else []
    small = [{n: SIZES[(k + i) % len(SIZES)] for i, n in enumerate(names)}]
    large = [
        {n: (SIZES[(k + i) % len(SIZES)] if i == 0 else size) for i, n in enumerate(names)} for size in LARGE_SIZES
    ]
    choices = [*near, *([dict(env)] if env else []), *small, *large]
    fitting = (settled(choice, model.assumptions) for choice in choices)
    return [dict(items) for items in dict.fromkeys(tuple(choice.items()) for choice in fitting)]


def settled(sizes: dict[str, int], assumptions: Sequence[Assumption]) -> dict[str, int]:
    """The sizes with those replaced that an assumption states by numbers (`n == 4`) or by others (`n == 2 * m`)."""
    pairs = [p for a in assumptions for p in ((a.left, a.right), (a.right, a.left))]
    stated = [
        (name, other) for size, other in pairs if isinstance(size, DimExpr) and size.is_symbol for name in _names(size)
    ]
    stated.sort(key=lambda p: bool(symbols(p[1])))  # numbers first: they decide
    found = dict(sizes)
    for _ in range(len(stated)):
        fixed: set[str] = set()
        for name, other in stated:
            names = _names(other)
            if name in fixed | names or not {name, *names} <= found.keys():
                continue
            found[name] = max(evaluate_dim(other, found), 0)
            fixed |= {name, *names}
    return found


def _names(dim: Dim) -> set[str]:
    return {s.name for s in symbols(dim)}


def _first_that_runs(
    model: Model,
    choices: Iterable[dict[str, int]],
    example: Case | None,
    highs: Mapping[str, int | None],
    rng: np.random.Generator,
    failures: list[str],
) -> tuple[Case, dict[str, np.ndarray]] | None:
    for env in choices:
        broken = next((a for a in model.assumptions if not a.allows(env)), None)
        if broken is not None:  # the import states that it is not for these sizes: a note tells the user
            failures.append(f"sizes {env} break the assumption {broken}")
            continue
        for cap in (None, 2, 1):
            case = draw_case(model, env, example, highs, rng, cap)
            try:
                return case, Evaluator("exact").run(model, case)
            except EvaluationError as error:
                failures.append(str(error))
    return None


def draw_case(
    model: Model,
    env: Mapping[str, int],
    example: Case | None,
    highs: Mapping[str, int | None],
    rng: np.random.Generator,
    cap: int | None = None,
) -> Case:
    """Inputs of these sizes, of the kind of the example where there is one; integers stay below `cap` and their `highs`."""
    return {v.name: _draw(v, env, example, highs[v.name], cap, rng) for v in model.graph.inputs}


def _draw(
    value: Value,
    env: Mapping[str, int],
    example: Case | None,
    high: int | None,
    cap: int | None,
    rng: np.random.Generator,
) -> np.ndarray:
    shape, kind = evaluate_shape(value.type.shape, env), value.type.dtype
    like = example.get(value.name) if example is not None else None
    if kind.is_bool:
        return rng.integers(0, 2, shape).astype(np.bool_)
    if kind.is_integer:
        low, top = (int(like.min()), int(like.max()) + 1) if like is not None and like.size else (0, high or 2)
        return rng.integers(low, max(low + 1, min(top, cap) if cap else top), shape).astype(kind.numpy)
    mean, std = _moments(like)
    out = rng.standard_normal(shape) * std + mean
    return (out + 1j * rng.standard_normal(shape) if kind.is_complex else out).astype(kind.numpy)


def _moments(like: np.ndarray | None) -> tuple[float, float]:
    if like is None or not like.size or like.dtype.kind == "c":
        return 0.0, 1.0
    finite = like.astype(np.float64)
    finite = finite[np.isfinite(finite)]
    std = float(finite.std()) if finite.size else 1.0
    return (float(finite.mean()) if finite.size else 0.0), (std if std > 0 else 1.0)


_PASSING = {
    "cast",
    "reshape",
    "transpose",
    "expand",
    "unsqueeze",
    "squeeze",
    "slice",
    "flatten",
    "concat",
    "clip",
    "identity",
    "select",
}
_INDEXED = {
    "embedding": ("indices", "weight"),
    "gather": ("indices", "data"),
    "gather_elements": ("indices", "data"),
    "one_hot": ("indices", None),
}


def index_bounds(model: Model) -> dict[str, int | None]:
    """`index_bound` of every input."""
    return {v.name: index_bound(v) for v in model.graph.inputs}


def index_bound(value: Value) -> int | None:
    """The smallest axis that integers from this input index, found by following it through shape-only ops; None if none."""
    found: list[int] = []
    seen: set[Value] = set()
    stack = [value]
    while stack:
        current = stack.pop()
        if current in seen:
            continue
        seen.add(current)
        for node in current.users:
            operand, data = _INDEXED.get(node.op.name, (None, None))
            if operand is not None and node.operands.get(operand) is current:
                size = (
                    node.attrs.get("depth")
                    if data is None
                    else node.operand(data).type.shape[int(node.attrs.get("axis", 0))]
                )
                found += [size] if isinstance(size, int) else []
            elif node.op.name in _PASSING:
                stack.extend(node.outputs)
    return min(found, default=None)
