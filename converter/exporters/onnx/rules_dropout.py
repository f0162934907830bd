"""Dropout."""

from __future__ import annotations

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import rule
from ir.core import Node
from ir.types import dtypes


@rule("dropout")
def dropout(c: Context, node: Node) -> Tensor:
    """A Dropout node in inference mode: the model can still be trained. What ONNX's cannot say is told in a note."""
    x, a = c.x(node, "x"), node.attrs
    if a["frozen"]:
        return x
    if a["always"]:
        return _always(c, node, x)
    if a["broadcast_axes"] or a["p"] == 1:
        what = "whole channels" if a["broadcast_axes"] else "everything"
        c.note(f"dropout of {what} is the identity in the ONNX model, also in training")
        return x
    return c.op("Dropout", x, c.const(a["p"], dtypes.float32))


def _always(c: Context, node: Node, x: Tensor) -> Tensor:
    """A Dropout node that drops in inference, by the runtime's own random numbers."""
    a = node.attrs
    if a["p"] == 1:
        return c.op("Expand", c.const(0, x.dtype), c.dims(node.output.type.shape))
    if a["broadcast_axes"]:
        c.refuse("ONNX has no dropout of whole channels in inference")
    c.note("dropout that never stops is drawn by the ONNX runtime's own generator: it differs from the source's")
    return c.op("Dropout", x, c.const(a["p"], dtypes.float32), c.const(True, dtypes.bool_))
