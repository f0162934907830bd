"""Arithmetic on two tensors, and choices between them. A constant operand prints as a Python number."""

from __future__ import annotations

from converter.exporters.code.expr import Binary, Expr
from converter.exporters.outline.operands import numbers
from converter.exporters.tensorflow.context import TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node

_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


@rule(*_OPERATORS)
def operator(c: Context, node: Node) -> Expr:
    return Binary(_OPERATORS[node.op.name], *numbers(c, node))


@rule("where")
def where(c: Context, node: Node) -> Expr:
    return TF.where(*(c.x(v) for v in node.inputs))
