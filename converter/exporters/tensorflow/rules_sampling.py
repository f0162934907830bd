"""Reading at computed coordinates."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.tensorflow.context import Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node


@rule("grid_sample")
def grid_sample(c: Context, node: Node) -> Expr:
    a = node.attrs
    aligned = {"align_corners": lift(True)} if a["align_corners"] else {}
    settings = {"mode": hole(a["mode"], "mode", "linear"), "padding": hole(a["padding"], "padding", "zeros")}
    return c.helper("grid_sample")(c.x(node.operand("x")), c.x(node.operand("grid")), **settings, **aligned)
