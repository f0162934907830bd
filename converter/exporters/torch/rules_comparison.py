"""Comparison and tests."""

from __future__ import annotations

from converter.exporters.code.expr import Binary, Expr, lift
from converter.exporters.outline.operands import numbers
from converter.exporters.torch.context import TORCH, Context
from converter.exporters.torch.table import rule
from ir.core import Node

_OPERATORS = {
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!=",
}  # fmt: skip


@rule(*_OPERATORS)
def compare(c: Context, node: Node) -> Expr:
    return Binary(_OPERATORS[node.op.name], *numbers(c, node))


@rule("isnan", "isfinite")
def test(c: Context, node: Node) -> Expr:
    return getattr(TORCH, node.op.name)(c.x(node.operand("x")))


@rule("isinf")
def isinf(c: Context, node: Node) -> Expr:
    x, positive, negative = c.x(node.operand("x")), node.attrs["positive"], node.attrs["negative"]
    if not positive and not negative:
        return TORCH.zeros_like(x, dtype=lift(c.dtype(node.output.type.dtype)))
    name = "isinf" if positive and negative else "isposinf" if positive else "isneginf"
    return getattr(TORCH, name)(x)
