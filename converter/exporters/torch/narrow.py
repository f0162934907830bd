"""What torch has no kernels for with floats of 8 bits, which it stores and moves: done in float32 and rounded once."""

from __future__ import annotations

from typing import Any

from converter.exporters.torch.unsigned import replaced
from ir.core import Builder, Model, Node, Value
from ir.core.walk import walk
from ir.types import DType, dtypes

_MOVED = {
    "cast", "bitcast", "constant", "full", "stop_gradient", "concat", "expand", "flatten", "identity", "reshape", "split",
    "squeeze", "stack", "tile", "transpose", "unsqueeze", "slice", "select",
}  # fmt: skip
"""Ops that torch does with them, in every form that our rules write."""


def in_float32(model: Model) -> None:
    """Rewrite, in place, whatever computes with floats of 8 bits."""
    for node in list(walk(model.graph)):
        if node.op.name not in _MOVED and not node.bodies and any(map(_is_narrow, _types(node))):
            _replace(node)


def _types(node: Node) -> list[DType]:
    given = [a for a in node.attrs.values() if isinstance(a, DType)]
    return [*(v.type.dtype for v in (*node.inputs, *node.outputs)), *given]


def _is_narrow(kind: DType) -> bool:
    return kind.is_float and kind.bits == 8


def _replace(node: Node) -> None:
    assert node.graph is not None
    b = Builder(node.graph, before=node, origin=node.origin.by("narrow"))

    def into(value: Value) -> Value:
        return b.cast(value, to=dtypes.float32) if _is_narrow(value.type.dtype) else value

    def back(value: Value, kind: DType) -> Value:
        return b.cast(value, to=kind) if _is_narrow(kind) else value

    def wide(item: Any) -> Any:
        return dtypes.float32 if isinstance(item, DType) and _is_narrow(item) else item

    replaced(b, node, into, back, {k: wide(v) for k, v in node.attrs.items()})
