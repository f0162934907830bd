"""Comparison and tests."""

from __future__ import annotations

from converter.exporters.code.expr import Binary, Expr, lift
from converter.exporters.outline.operands import numbers
from converter.exporters.tensorflow.context import MATH, TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node

_OPERATORS = {
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!=",
}  # fmt: skip


@rule(*_OPERATORS)
def compare(c: Context, node: Node) -> Expr:
    return Binary(_OPERATORS[node.op.name], *numbers(c, node))


@rule("isnan", "isfinite")
def test(c: Context, node: Node) -> Expr:
    return getattr(MATH, f"is_{node.op.name[2:]}")(c.x(node.operand("x")))


@rule("isinf")
def isinf(c: Context, node: Node) -> Expr:
    x, positive, negative = c.x(node.operand("x")), node.attrs["positive"], node.attrs["negative"]
    if positive and negative:
        return MATH.is_inf(x)
    if not positive and not negative:
        return TF.zeros_like(x, dtype=c.dtype(node.output.type.dtype))
    return Binary("==", x, lift(float("inf" if positive else "-inf")))
