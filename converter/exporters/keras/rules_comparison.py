"""Comparison and tests."""

from __future__ import annotations

from converter.exporters.code.expr import Binary, Expr
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from converter.exporters.outline.operands import numbers
from ir.core import Node

_OPERATORS = {
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!=",
}  # fmt: skip


@rule(*_OPERATORS)
def compare(c: Context, node: Node) -> Expr:
    return Binary(_OPERATORS[node.op.name], *numbers(c, node))


@rule("isnan", "isfinite")
def test(c: Context, node: Node) -> Expr:
    return getattr(OPS, node.op.name)(c.x(node.operand("x")))


@rule("isinf")
def isinf(c: Context, node: Node) -> Expr:
    x, positive, negative = c.x(node.operand("x")), node.attrs["positive"], node.attrs["negative"]
    if not positive and not negative:
        return OPS.zeros_like(x, dtype=c.dtype(node.output.type.dtype))
    name = "isinf" if positive and negative else "isposinf" if positive else "isneginf"
    return getattr(OPS, name)(x)
