"""What differs between training and inference: `if training:`, and the end of a gradient."""

from __future__ import annotations

from converter.exporters.code.expr import Expr
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from converter.exporters.outline.control import write_by_mode
from ir.core import Node


@rule("by_mode")
def by_mode(c: Context, node: Node) -> None:
    write_by_mode(c, node, c.training())


@rule("stop_gradient")
def stop_gradient(c: Context, node: Node) -> Expr:
    return OPS.stop_gradient(c.x(node.operand("x")))
