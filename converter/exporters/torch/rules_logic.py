"""Logic and bits."""

from __future__ import annotations

from converter.exporters.code.expr import Binary, Expr, Unary
from converter.exporters.outline.operands import numbers
from converter.exporters.torch.context import Context
from converter.exporters.torch.table import rule
from ir.core import Node

_OPERATORS = {"and": "&", "or": "|", "xor": "^", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^"}


@rule(*_OPERATORS)
def operator(c: Context, node: Node) -> Expr:
    return Binary(_OPERATORS[node.op.name], *numbers(c, node))


@rule("not", "bitwise_not")
def invert(c: Context, node: Node) -> Expr:
    return Unary("~", c.x(node.operand("x")))


@rule("shift_left", "shift_right")
def shift(c: Context, node: Node) -> Expr:
    x, y = numbers(c, node)
    return Binary("<<" if node.op.name == "shift_left" else ">>", x, y)
