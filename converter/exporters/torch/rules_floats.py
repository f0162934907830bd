"""Parts and neighbours of floats."""

from __future__ import annotations

from converter.exporters.code.expr import Expr
from converter.exporters.torch.context import TORCH, Context
from converter.exporters.torch.rules_special import supported
from converter.exporters.torch.table import rule
from ir.core import Node


@rule("signbit")
def signbit(c: Context, node: Node) -> Expr:
    return TORCH.signbit(c.x(node.operand("x")))


@rule("frexp", accepts=supported)
def frexp(c: Context, node: Node) -> tuple[Expr | None, ...]:
    return c.unpack(TORCH.frexp(c.x(node.operand("x"))), [bool(v.uses) for v in node.outputs], "frexp")


@rule("nextafter")
def nextafter(c: Context, node: Node) -> Expr:
    return TORCH.nextafter(c.x(node.operand("x")), c.x(node.operand("y")))
