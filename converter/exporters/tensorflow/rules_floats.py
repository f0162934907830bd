"""Parts and neighbours of floats."""

from __future__ import annotations

from converter.exporters.code.expr import Expr
from converter.exporters.tensorflow.context import MATH, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node


@rule("nextafter")
def nextafter(c: Context, node: Node) -> Expr:
    return MATH.nextafter(c.x(node.operand("x")), c.x(node.operand("y")))


@rule("frexp")
def frexp(c: Context, node: Node) -> tuple[Expr | None, ...]:
    parts = c.helper("mantissa_and_exponent")(c.x(node.operand("x")))
    return c.unpack(parts, [bool(v.uses) for v in node.outputs], "frexp")
