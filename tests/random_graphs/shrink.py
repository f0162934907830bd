"""Smaller models of the same kind: nodes cut out and replaced by inputs that hold what they computed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from ir.core import Model, Node, Value, copy_model
from ir.eval import EvaluationError, Evaluator
from ir.passes import DeadCode
from ir.types import DimExpr, TensorType, symbols
from tests.random_graphs.draw import Case, set_outputs

Fails = Callable[[Case], bool]
SECONDS = 15
"""Of the processor, for one model."""


def without(case: Case, ops: Collection[str]) -> Case | None:
    """The model with these ops cut out, bodies that hold them included; None where nothing is left to compute."""
    found = [n for n in case.model.graph if _holds(n, ops)]
    smaller = _cut(case, found)
    return smaller if any(n.op.name != "constant" for n in smaller.model.graph) else None


def _holds(node: Node, ops: Collection[str]) -> bool:
    return node.op.name in ops or any(_holds(n, ops) for body in node.bodies.values() for n in body)


def shrink(case: Case, fails: Fails, budget: int = 80) -> Case:
    """A model as small as greedy steps make it for which `fails` still holds, in at most `budget` trials and SECONDS."""
    left, until = budget, time.process_time() + SECONDS

    def still(candidate: Case | None) -> bool:
        nonlocal left
        left = left - 1 if time.process_time() < until else 0
        return left > 0 and candidate is not None and len(candidate.model.graph) > 0 and fails(candidate)

    for i in range(len(case.model.graph.outputs)):
        alone = _one_output(case, i)
        if still(alone):
            case = alone
            break
    progress = True
    while progress and left > 0:
        progress = False
        position = 0
        while position < len(case.model.graph) and left > 0:
            candidate = _cut(case, [list(case.model.graph)[-1 - position]])
            if len(candidate.model.graph) < len(case.model.graph) and still(candidate):
                case, progress = candidate, True
            else:
                position += 1
    static = _static(case)
    return static if static is not None and still(static) else case


def _one_output(case: Case, index: int) -> Case:
    model = copy_model(case.model)
    set_outputs(model, [model.graph.outputs[index]])
    return _swept(case, model, dict(case.inputs))


def _cut(case: Case, nodes: list[Node]) -> Case:
    """A copy in which the results of these nodes are inputs. Outputs that were inputs all along are left out."""
    positions = {id(n) for n in nodes}
    chosen = [i for i, n in enumerate(case.model.graph) if id(n) in positions]
    model = copy_model(case.model)
    arrays = _arrays(model, case.inputs)
    inputs = dict(case.inputs)
    listed = list(model.graph)
    for i in chosen:
        _to_inputs(model, listed[i], arrays, inputs)
    kept = [v for v in model.graph.outputs if v.producer is not None]
    if not kept:
        return replace(case, model=Model("nothing"), inputs={})
    set_outputs(model, kept)
    return _swept(case, model, inputs)


def _arrays(model: Model, inputs: dict[str, np.ndarray]) -> dict[Value, np.ndarray]:
    try:
        return Evaluator("exact").run_all(model, inputs)
    except EvaluationError:
        return {}


def _to_inputs(model: Model, node: Node, arrays: dict[Value, np.ndarray], inputs: dict[str, np.ndarray]) -> None:
    for value in node.outputs:
        if not value.uses:
            continue
        if value not in arrays:
            return
        kind = value.type
        if any(s.opaque for d in kind.shape if isinstance(d, DimExpr) for s in symbols(d)):
            return  # the size is found by the node itself
        name = next(n for i in itertools.count() if (n := f"cut{i}") not in inputs)
        inputs[name] = arrays[value]
        value.replace_all_uses(model.graph.add_input(kind, name))


def _swept(case: Case, model: Model, inputs: dict[str, np.ndarray]) -> Case:
    """Without dead nodes, and without inputs, weights and state that nothing reads."""
    for name in list(model.state):
        model.set_state(name, None)
    DeadCode().run(model)
    for value in model.graph.inputs:
        if not value.uses and not _sizes_needed(model, value):
            model.graph.remove_input(value)
            inputs.pop(value.name)
    for name in [n for n in model.weights if not model.weight_value(n).uses]:
        model.remove_weight(name)
    set_outputs(model, list(model.graph.outputs))
    ordered = {v.name: inputs[v.name] for v in model.graph.inputs}
    used = {s.name for v in model.graph.inputs for d in v.type.shape for s in symbols(d)}
    return replace(case, model=model, inputs=ordered, sizes={n: s for n, s in case.sizes.items() if n in used})


def _sizes_needed(model: Model, value: Value) -> bool:
    """Whether the input binds a size that no later input does."""
    others = {s.name for v in model.graph.inputs if v is not value for d in v.type.shape for s in symbols(d)}
    return not {s.name for d in value.type.shape for s in symbols(d)} <= others


def _static(case: Case) -> Case | None:
    """The model with its sizes fixed."""
    from ir.passes import Specialize

    if not case.sizes:
        return None
    model = copy_model(case.model)
    try:
        Specialize(tuple(case.sizes.items())).run(model)
    except ValueError:
        return None
    return _swept(case, model, dict(case.inputs))


def described(kind: TensorType, array: np.ndarray) -> str:
    """An input's values for a report."""
    return f"{kind} = {np.array2string(array, threshold=40, separator=', ')}"
