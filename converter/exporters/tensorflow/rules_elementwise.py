"""Functions of one tensor, element by element."""

from __future__ import annotations

import math

from converter.exporters.code.expr import Expr, Unary, lift
from converter.exporters.tensorflow.context import MATH, TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node

_OURS = (
    "exp", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "square",
    "floor", "round",
)  # fmt: skip
_MATH = ("expm1", "log", "log1p", "rsqrt", "erfc", "ceil", "reciprocal", "real", "imag", "conj")


@rule(*_OURS)
def function(c: Context, node: Node) -> Expr:
    return getattr(TF, node.op.name)(c.x(node.operand("x")))


@rule(*_MATH)
def math_function(c: Context, node: Node) -> Expr:
    return getattr(MATH, node.op.name)(c.x(node.operand("x")))


@rule("log2", "log10")
def logarithm(c: Context, node: Node) -> Expr:
    return MATH.log(c.x(node.operand("x"))) / lift(math.log(2 if node.op.name == "log2" else 10))


@rule("erf")
def erf(c: Context, node: Node) -> Expr:
    """In float64 TensorFlow gives NaN of large numbers, where the function is 1 long before."""
    x = c.x(node.operand("x"))
    return MATH.erf(TF.clip_by_value(x, lift(-6.0), lift(6.0)) if node.output.type.dtype.name == "float64" else x)


@rule("erfinv", "lgamma", "digamma")
def special(c: Context, node: Node) -> Expr:
    """TensorFlow's digamma has no values at its ends."""
    kind = node.output.type.dtype
    function = c.helper("digamma") if node.op.name == "digamma" else getattr(MATH, node.op.name)
    return c.widened(kind, "float32" if kind.is_half else kind.name, function, c.x(node.operand("x")))


@rule("neg")
def neg(c: Context, node: Node) -> Expr:
    """TensorFlow has no negative of what is unsigned, and takes a difference from 0 for one."""
    x = c.x(node.operand("x"))
    return TF.bitwise.invert(x) + lift(1) if node.operand("x").type.dtype.kind == "uint" else Unary("-", x)


@rule("abs")
def absolute(c: Context, node: Node) -> Expr:
    x = c.x(node.operand("x"))
    return x if node.operand("x").type.dtype.kind == "uint" else TF.abs(x)


@rule("sign")
def sign(c: Context, node: Node) -> Expr:
    x, kind = c.x(node.operand("x")), node.operand("x").type.dtype
    if kind.kind == "uint":
        return c.cast(x > 0, kind)
    if not kind.is_float or node.attrs["nan"] != "zero":
        return TF.sign(x)
    x = c.name_once(x)
    return TF.where(MATH.is_nan(x), TF.zeros_like(x), TF.sign(x))


@rule("trunc")
def trunc(c: Context, node: Node) -> Expr:
    x = c.name_once(c.x(node.operand("x")))
    return TF.where(x < 0, MATH.ceil(x), TF.floor(x))
