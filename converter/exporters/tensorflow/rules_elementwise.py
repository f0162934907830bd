"""Functions of one tensor, element by element."""

from __future__ import annotations

from converter.exporters.code.expr import Expr
from converter.exporters.tensorflow.context import MATH, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node

_PLAIN = (
    "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
    "asinh", "acosh", "atanh", "erf", "erfc", "square", "floor", "ceil",
)  # fmt: skip


@rule(*_PLAIN)
def function(c: Context, node: Node) -> Expr:
    return getattr(MATH, node.op.name)(c.x(node.operand("x")))
