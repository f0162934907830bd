"""Functions of one tensor, element by element."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Unary, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from ir.core import Node

_RENAMED = {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
}  # fmt: skip


@rule(
    "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "erfinv", "abs", "square", "floor", "ceil",
    "round", "trunc",
)  # fmt: skip
def function(c: Context, node: Node) -> Expr:
    return getattr(OPS, _RENAMED.get(node.op.name, node.op.name))(c.x(node.operand("x")))


@rule("neg")
def neg(c: Context, node: Node) -> Expr:
    """TensorFlow has no negative of what is unsigned."""
    x = c.x(node.operand("x"))
    return OPS.bitwise_not(x) + lift(1) if node.operand("x").type.dtype.kind == "uint" else Unary("-", x)


@rule("sign")
def sign(c: Context, node: Node) -> Expr:
    """PyTorch's sign of NaN is 0, that of the others NaN."""
    x = c.x(node.operand("x"))
    if not node.operand("x").type.dtype.is_float:
        return OPS.sign(x)
    x = c.name_once(x)
    return OPS.where(OPS.isnan(x), lift(0.0) if node.attrs["nan"] == "zero" else x, OPS.sign(x))
