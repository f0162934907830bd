"""Arithmetic on two tensors, and choices between them. A constant operand prints as a Python number."""

from __future__ import annotations

from converter.exporters.code.expr import Binary, Expr
from converter.exporters.keras.context import OPS, Context, bare
from converter.exporters.keras.table import rule
from converter.exporters.outline.operands import numbers
from ir.core import Node

_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_FUNCTIONS = {"maximum": "maximum", "minimum": "minimum", "atan2": "arctan2"}


@rule(*_OPERATORS)
def operator(c: Context, node: Node) -> Expr:
    x, y = numbers(c, node)
    return Binary(_OPERATORS[node.op.name], bare(x), bare(y))


@rule(*_FUNCTIONS)
def function(c: Context, node: Node) -> Expr:
    return getattr(OPS, _FUNCTIONS[node.op.name])(*(c.x(v) for v in node.inputs))


def _floats(node: Node) -> str | None:
    integer = node.output.type.dtype.is_integer
    return "Keras' backends differ in powers of integers" if integer else None


@rule("pow", accepts=_floats)
def power(c: Context, node: Node) -> Expr:
    return OPS.power(*(c.x(v) for v in node.inputs))


@rule("floor_div")
def floor_division(c: Context, node: Node) -> Expr:
    return OPS.floor_divide(*(c.x(v) for v in node.inputs))


@rule("mod")
def remainder(c: Context, node: Node) -> Expr:
    return OPS.mod(*(c.x(v) for v in node.inputs))


@rule("where")
def where(c: Context, node: Node) -> Expr:
    return OPS.where(*(c.x(v) for v in node.inputs))
