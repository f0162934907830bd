"""Arithmetic, comparison and logic, element by element. Several IR families that torch treats alike."""

from __future__ import annotations

from converter.exporters.code.expr import Binary, Expr, Lit, Unary
from converter.exporters.torch.context import F, TORCH, Context
from converter.exporters.torch.table import rule
from ir.core import Node

_FUNCTIONS = {
    "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "log2": "log2", "log10": "log10", "sqrt": "sqrt",
    "rsqrt": "rsqrt", "reciprocal": "reciprocal", "sin": "sin", "cos": "cos", "tan": "tan", "asin": "asin",
    "acos": "acos", "atan": "atan", "sinh": "sinh", "cosh": "cosh", "asinh": "asinh", "acosh": "acosh",
    "atanh": "atanh", "erf": "erf", "erfc": "erfc", "erfinv": "erfinv", "lgamma": "lgamma", "digamma": "digamma",
    "abs": "abs", "square": "square", "floor": "floor", "ceil": "ceil", "round": "round", "trunc": "trunc",
    "tanh": "tanh", "isnan": "isnan", "isfinite": "isfinite", "real": "real", "imag": "imag", "conj": "conj_physical",
    "angle": "angle",
}  # fmt: skip
_OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=", "equal": "==", "not_equal": "!=", "and": "&", "or": "|", "xor": "^", "bitwise_and": "&",
    "bitwise_or": "|", "bitwise_xor": "^",
}  # fmt: skip
_BINARY_FUNCTIONS = {
    "maximum": "maximum", "minimum": "minimum", "fmax": "fmax", "fmin": "fmin", "fmod": "fmod", "atan2": "atan2",
    "mod": "remainder",
}  # fmt: skip


@rule(*_FUNCTIONS)
def function(c: Context, node: Node) -> Expr:
    return getattr(TORCH, _FUNCTIONS[node.op.name])(c.x(node.operand("x")))


@rule("neg")
def neg(c: Context, node: Node) -> Expr:
    return Unary("-", c.x(node.operand("x")))


@rule("not", "bitwise_not")
def invert(c: Context, node: Node) -> Expr:
    return Unary("~", c.x(node.operand("x")))


def numbers(c: Context, node: Node) -> tuple[Expr, Expr]:
    """Both operands; a constant one as a Python number, unless both are or the number would set the shape."""
    x, y = node.operand("x"), node.operand("y")
    if c.literal(y) is not None and c.literal(x) is None:
        return c.x(x), c.number_or_x(y)
    if c.literal(x) is not None and c.literal(y) is None:
        return c.number_or_x(x), c.x(y)
    return c.x(x), c.x(y)


@rule(*_OPERATORS)
def operator(c: Context, node: Node) -> Expr:
    left, right = numbers(c, node)
    return Binary(_OPERATORS[node.op.name], left, right)


@rule(*_BINARY_FUNCTIONS)
def binary_function(c: Context, node: Node) -> Expr:
    return getattr(TORCH, _BINARY_FUNCTIONS[node.op.name])(c.x(node.operand("x")), c.x(node.operand("y")))


@rule("relu")
def relu(c: Context, node: Node) -> Expr:
    return F.relu(c.x(node.operand("x")))


@rule("pow")
def power(c: Context, node: Node) -> Expr:
    y = c.literal(node.operand("y"))
    if y is not None:
        return c.x(node.operand("x")).pow(y)
    return TORCH.pow(c.x(node.operand("x")), c.x(node.operand("y")))


__all__ = ["Lit", "numbers"]
