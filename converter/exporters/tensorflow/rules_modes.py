"""What differs between training and inference: `if training:`, and the end of a gradient."""

from __future__ import annotations

from converter.exporters.code.expr import Expr
from converter.exporters.outline.control import write_by_mode
from converter.exporters.tensorflow.context import TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node


@rule("by_mode")
def by_mode(c: Context, node: Node) -> None:
    write_by_mode(c, node, c.training())


@rule("stop_gradient")
def stop_gradient(c: Context, node: Node) -> Expr:
    return TF.stop_gradient(c.x(node.operand("x")))
