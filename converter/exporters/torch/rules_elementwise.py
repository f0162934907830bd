"""Functions of one tensor, element by element."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Unary
from converter.exporters.torch.context import TORCH, Context
from converter.exporters.torch.table import rule
from ir.core import Node

_RENAMED = {"conj": "conj_physical"}


@rule(
    "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "erfinv", "lgamma", "digamma", "abs",
    "square", "floor", "ceil", "round", "trunc", "real", "imag", "conj", "angle",
)  # fmt: skip
def function(c: Context, node: Node) -> Expr:
    name = _RENAMED.get(node.op.name, node.op.name)
    return getattr(TORCH, name)(c.x(node.operand("x")))


@rule("neg")
def neg(c: Context, node: Node) -> Expr:
    return Unary("-", c.x(node.operand("x")))


@rule("sign")
def sign(c: Context, node: Node) -> Expr:
    x = c.x(node.operand("x"))
    if not node.operand("x").type.dtype.is_float or node.attrs["nan"] == "zero":
        return TORCH.sign(x)
    x = c.name_once(x)
    return TORCH.where(x.isnan(), x, TORCH.sign(x))
