"""Shape and movement."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, hole
from converter.exporters.torch.context import Context
from converter.exporters.torch.table import rule
from ir.core import Node


@rule("flatten")
def flatten(c: Context, node: Node) -> Expr:
    a, x = node.attrs, c.x(node.operand("x"))
    if a["end"] % node.operand("x").type.rank == node.operand("x").type.rank - 1:
        return x.flatten(hole(a["start"], "start_dim"))
    return x.flatten(hole(a["start"], "start_dim"), hole(a["end"], "end_dim"))


@rule("reshape")
def reshape(c: Context, node: Node) -> Expr:
    return c.x(node.operand("x")).reshape(*c.shape(node.attrs["shape"]))
