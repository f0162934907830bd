"""Functions of one tensor, element by element."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Unary
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from ir.core import Node

_RENAMED = {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
}  # fmt: skip


@rule(
    "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "erfinv", "abs", "square", "floor", "ceil",
    "round", "trunc", "sign",
)  # fmt: skip
def function(c: Context, node: Node) -> Expr:
    return getattr(OPS, _RENAMED.get(node.op.name, node.op.name))(c.x(node.operand("x")))


@rule("neg")
def neg(c: Context, node: Node) -> Expr:
    return Unary("-", c.x(node.operand("x")))
