"""What the caller gives as inputs, specs or example arrays: bound to names and arguments, and the sizes that they fix or name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from converter.errors import UsageError
from converter.importers.specs import InputSpec, is_spec, parse_spec
from ir.types import symbol


def match(given: Any, names: Sequence[str]) -> dict[str, Any]:
    """The user's arrays or specs by input name."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        unknown = [k for k in given if k not in names]
        if unknown and len(names) == 1 and len(given) == 1:
            return {names[0]: next(iter(given.values()))}
        if unknown:
            raise UsageError(f"no input is called {unknown[0]!r}; inputs are {', '.join(names)}")
        return dict(given)
    items = list(given) if isinstance(given, (list, tuple)) else [given]
    if len(items) == 1 and isinstance(items[0], (list, tuple)) and len(names) > 1:
        items = list(items[0])
    if len(items) == 1 and isinstance(items[0], Mapping):
        return match(items[0], names)
    if len(items) != len(names):
        raise UsageError(f"{len(items)} inputs were given, the model takes {len(names)}: {', '.join(names)}")
    return dict(zip(names, items))


def bind(arguments: list[inspect.Parameter], given: Any) -> list[tuple[inspect.Parameter, Any]]:
    """The user's inputs by the arguments of a function: by name, in order, or one for the only argument it needs.

    `arguments` have been `spread`. Raises UsageError where they do not fit.
    """
    by_name = {p.name: p for p in arguments}
    if isinstance(given, Mapping) and set(given) <= set(by_name):
        return [(by_name[k], v) for k, v in given.items()]
    if isinstance(given, (list, tuple)) and len(given) <= len(arguments):
        return list(zip(arguments, given))
    if not arguments:
        raise UsageError("the model's call takes no inputs")
    if is_leaf(given) or len([p for p in arguments if p.default is inspect.Parameter.empty]) == 1:
        return [(arguments[0], given)]
    raise UsageError(f"the inputs do not fit the arguments of call: {', '.join(by_name)}")


def spread(arguments: list[inspect.Parameter], given: Any) -> list[inspect.Parameter]:
    """The arguments, with one for each of the user's inputs that `*xs` (`xs_0`, `xs_1`, as TensorFlow names them) or
    `**options` (by its name) takes."""
    found: list[inspect.Parameter] = []
    for p in arguments:
        if p.kind is p.VAR_POSITIONAL:
            names = [f"{p.name}_{i}" for i in range(_count(given) - len(found))]
            if isinstance(given, Mapping):
                names = [n for n in (f"{p.name}_{i}" for i in range(len(given))) if n in given]
            found += [inspect.Parameter(n, p.POSITIONAL_ONLY) for n in names]
        elif p.kind is p.VAR_KEYWORD:
            known = {q.name for q in found}
            needed = {q.name for q in found if q.default is p.empty}
            if isinstance(given, Mapping) and needed <= set(given):
                found += [inspect.Parameter(n, p.KEYWORD_ONLY) for n in given if n not in known]
        else:
            found.append(p)
    return found


def _count(given: Any) -> int:
    return len(given) if isinstance(given, (list, tuple)) else int(given is not None)


def is_leaf(item: Any) -> bool:
    """Whether an item stands for one tensor: a spec, or anything that has a shape and an element type."""
    return is_spec(item) or isinstance(item, InputSpec) or (hasattr(item, "shape") and hasattr(item, "dtype"))


def sizes(
    name: str, declared: tuple[int | None, ...], item: Any, axes: Any, fallback: Sequence[str]
) -> tuple[tuple[Any, ...], tuple[int | None, ...]]:
    """Dims of an input whose `declared` sizes may be open (None), and the sizes of an example.

    The caller's spec or array `item` may name or fix open sizes, and `axes` may name them; else they take the names in
    `fallback`, one for each axis. Raises UsageError where what was given does not fit.
    """
    spec, own = spec_of(item), array_shape(item)
    labels = labels_of(axes, len(declared))
    if spec is not None and len(spec.dims) != len(declared):
        raise UsageError(f"{name} has {len(declared)} axes, the spec {spec} has {len(spec.dims)}")
    if own is not None and len(own) != len(declared):
        raise UsageError(f"{name} has {len(declared)} axes, the example {list(own)} has {len(own)}")
    dims: list[Any] = []
    for axis, size in enumerate(declared):
        wished = spec.dims[axis] if spec is not None else labels.get(axis)
        if size is not None:
            if isinstance(wished, int) and wished != size:
                raise UsageError(f"{name}: axis {axis} is {size}, not {wished}")
            dims.append(int(size))
        elif isinstance(wished, int):
            dims.append(wished)
        else:
            dims.append(symbol(wished or fallback[axis]))
    example = own if own is not None else tuple(d if isinstance(d, int) else None for d in dims)
    for axis, (dim, found) in enumerate(zip(dims, example)):
        if isinstance(dim, int) and found is not None and found != dim:
            raise UsageError(f"{name}: axis {axis} is {dim}, the example has {found}")
    return tuple(dims), example


def labels_of(axes: Any, rank: int) -> dict[int, str | None]:
    """Dynamic axes that the user named: a list, or axis -> name."""
    if axes is None:
        return {}
    found = dict(axes) if isinstance(axes, Mapping) else dict.fromkeys(axes)
    return {int(a) % max(rank, 1): n for a, n in found.items()}


def spec_of(item: Any) -> InputSpec | None:
    """The spec that an item is, as text or read already; None for anything else."""
    if isinstance(item, InputSpec):
        return item
    return parse_spec(item) if is_spec(item) else None


def array_shape(item: Any) -> tuple[int, ...] | None:
    """The shape of an example array; None for a spec."""
    if item is None or isinstance(item, (InputSpec, str)):
        return None
    return tuple(int(d) for d in (item.shape if hasattr(item, "shape") else np.shape(item)))
