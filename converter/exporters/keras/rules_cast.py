"""Changes of element type."""

from __future__ import annotations

from converter.exporters.code.expr import Expr
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from ir.core import Node


@rule("cast")
def cast(c: Context, node: Node) -> Expr:
    return c.cast(c.x(node.operand("x")), node.attrs["to"])


def _same_width(node: Node) -> str | None:
    x, to = node.operand("x").type.dtype, node.attrs["to"]
    return None if x.bits == to.bits else "Keras' view changes the shape where the widths differ"


@rule("bitcast", accepts=_same_width)
def bitcast(c: Context, node: Node) -> Expr:
    return OPS.view(c.x(node.operand("x")), dtype=c.dtype(node.attrs["to"]))
