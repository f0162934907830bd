"""Results that no definition puts in order: eigenvalues, and the vectors that go with them.

Each library's routine gives the eigenvalues of a general matrix in an order of its own, and each eigenvector with a phase of
its own. Where an output of the model is such a result, or its real or imaginary part or its absolute values, both sides are
brought into the reference's order before they are compared: what is compared is what the definition fixes. What is computed
from such a result is compared as it is, and a mismatch says where it may come from.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ir.core import Model, Node, Value
from ir.ops.eigen_order import Part, aligned

Group = dict[str, Part]
"""Outputs of a model that are parts of the results of one node, by name."""
OP = "eig"
_PARTS = ("real", "imag", "abs")
ADVICE = (
    "; it hangs on eigenvalues or eigenvectors, whose order and phase are each library's own: sort them, or return the "
    "results of eig themselves"
)


def groups(model: Model) -> list[Group]:
    """The outputs that are free, for each node that gives them."""
    found: dict[Node, Group] = {}
    for name, value in zip(model.signature.output_names, model.graph.outputs, strict=True):
        source = _source(value)
        if source is not None:
            node, part = source
            group = found.setdefault(node, {})
            if part not in group.values():  # the same result twice: the second is compared as it is
                group[name] = part
    return list(found.values())


def _source(value: Value) -> tuple[Node, Part] | None:
    """The node whose result a value is, and which part of it."""
    part, value = "", _picked(value)
    node = value.producer
    if node is not None and node.op.name in _PARTS:
        part, value = node.op.name, _picked(node.operand("x"))
        node = value.producer
    if node is None or node.op.name != OP:
        return None
    return node, (node.op.outputs[value.index], part)


def _picked(value: Value) -> Value:
    """The value that a selection takes out of a stack, as `view_as_real(x)[..., 0]` does; itself where it is none."""
    node = value.producer
    stack = node.operand("x").producer if node is not None and node.op.name == "select" else None
    if node is None or stack is None or stack.op.name != "stack":
        return value
    axes = {n.attrs["axis"] % stack.output.type.rank for n in (node, stack)}
    index = node.attrs["index"]
    return stack.operands["xs"][index] if len(axes) == 1 and isinstance(index, int) else value


def hanging(model: Model) -> set[str]:
    """Outputs that are computed from such results."""
    tainted: set[Value] = set()
    for node in model.graph:
        if _gives(node) or any(v in tainted for v in node.inputs):
            tainted.update(node.outputs)
    return {n for n, v in zip(model.signature.output_names, model.graph.outputs, strict=True) if v in tainted}


def _gives(node: Node) -> bool:
    return node.op.name == OP or any(_gives(inner) for body in node.bodies.values() for inner in body)


def in_order(
    found: list[Group], values: Mapping[str, np.ndarray], like: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The values of a run with those of each group in the order of `like`; as they are where shapes or types differ."""
    result = dict(values)
    for group in found:
        if all(n in values and values[n].shape == like[n].shape and _kind(values[n]) == _kind(like[n]) for n in group):
            moved = aligned({p: values[n] for n, p in group.items()}, {p: like[n] for n, p in group.items()})
            result.update({n: moved[p] for n, p in group.items()})
    return result


def _kind(array: np.ndarray) -> bool:
    return bool(np.iscomplexobj(array))
