"""Assumptions on sizes, made to fail where they do not hold: ONNX has no assertion.

For each, a `Gather` reads a vector of one zero at a position that is 0 exactly where the assumption holds: elsewhere
the runtime stops, naming the node (`needs length >= 2`). The zeros are added to the shape of an input, which is
reshaped to it, so that everything computed from the input waits for them.
"""

from __future__ import annotations

from converter.exporters.onnx.context import Context, Refusal, Tensor
from ir.core import Model, Value
from ir.types import Assumption, symbols


def guard(c: Context, model: Model) -> None:
    """Guard the model's assumptions; those about sizes that only the run finds are told in a note."""
    held = [a for a in model.assumptions if _is_checkable(a)]
    zeros = [z for a in held if (z := _zero(c, a)) is not None]
    for assumption in model.assumptions:
        if assumption not in held:
            c.note(f"assumed, and not checked by the ONNX model: {assumption}")
    target = _carrier(model, held)
    if not zeros or target is None:
        return
    total = zeros[0]
    for zero in zeros[1:]:
        total = c.op("Add", total, zero)
    tensor = c.value(target)
    c.frame.values[target] = c.op("Reshape", tensor, c.op("Add", c.op("Shape", tensor), total))


def _is_checkable(assumption: Assumption) -> bool:
    return not any(s.opaque for d in (assumption.left, assumption.right) for s in symbols(d))


def _zero(c: Context, assumption: Assumption) -> Tensor | None:
    """A vector of one zero that cannot be had where the assumption does not hold."""
    left, sign, right = assumption.relation
    try:
        position = c.sizes.one(assumption.gap)
    except Refusal:
        c.note(f"assumed, and not checked by the ONNX model: {assumption}")
        return None
    zero: Tensor = c.op("Gather", c.ints([0]), position, axis=0)
    node = c.frame.nodes[-1]
    node.name = c.names.unique(f"needs {left} {sign} {right}")
    node.doc_string = assumption.why
    return zero


def _carrier(model: Model, held: list[Assumption]) -> Value | None:
    """The input that is held back: one with a size that is checked, or else any that is read."""
    names = {s.name for a in held for d in (a.left, a.right) for s in symbols(d)}
    read = [v for v in model.graph.inputs if v.uses and v.type.rank]
    checked = [v for v in read if any(s.name in names for d in v.type.shape for s in symbols(d))]
    return next(iter([*checked, *read]), None)

