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
    if a["broadcast_axes"] or a["p"] == 1:
        what = "whole channels" if a["broadcast_axes"] else "everything"
        c.note(f"dropout of {what} is the identity in the ONNX model, also in training")
        return x
    return c.op("Dropout", x, c.const(a["p"], dtypes.float32))
