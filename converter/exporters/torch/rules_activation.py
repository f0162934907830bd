"""Activations."""

from __future__ import annotations

from converter.exporters.code.expr import Expr
from converter.exporters.torch.context import F, TORCH, Context
from converter.exporters.torch.table import rule
from ir.core import Node


@rule("sigmoid")
def sigmoid(c: Context, node: Node) -> Expr:
    return TORCH.sigmoid(c.x(node.operand("x")))


@rule("softmax", "log_softmax")
def softmax(c: Context, node: Node) -> Expr:
    return getattr(F, node.op.name)(c.x(node.operand("x")), dim=c.attr("axis", "dim"))
