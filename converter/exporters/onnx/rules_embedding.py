"""Looking rows up."""

from __future__ import annotations

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.rules_indexing import index, note_negatives
from converter.exporters.onnx.table import rule
from ir.core import Node


@rule("embedding")
def embedding(c: Context, node: Node) -> Tensor:
    if node.attrs["neg"] == "invalid":
        note_negatives(c, node.operand("indices"))
    return c.op("Gather", c.x(node, "weight"), index(c, c.x(node, "indices")), axis=0)
