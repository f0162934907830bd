"""Activations."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Name, hole, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import form, rule
from converter.exporters.outline.instances import Form
from ir.core import Node

_PLAIN = {"relu": "relu", "sigmoid": "sigmoid", "silu": "silu", "softsign": "softsign", "log_sigmoid": "log_sigmoid"}


@rule(*_PLAIN)
def activation(c: Context, node: Node) -> Expr:
    return getattr(OPS, _PLAIN[node.op.name])(c.x(node.operand("x")))


def activation_layer(node: Node) -> Form | None:
    """`layers.Activation("relu")`, where the source has a module at a numbered place of a container."""
    return Form(Name("layers.Activation")(lift(_PLAIN[node.op.name]))) if _numbered(node) else None


def _numbered(node: Node) -> bool:
    return bool(node.origin.path) and node.origin.path[-1].name.isdigit()


for _op in _PLAIN:
    form(_op)(activation_layer)


def _single(node: Node) -> str | None:
    """Half types are rounded between the steps, which cancels on the left; in float64 the constants are those of float32."""
    return None if node.output.type.dtype.name == "float32" else "gelu is exact in float32 only, with TensorFlow below"


@rule("gelu", accepts=_single)
def gelu(c: Context, node: Node) -> Expr:
    return OPS.gelu(c.x(node.operand("x")), approximate=lift(node.attrs["approximate"] == "tanh"))


@form("gelu")
def gelu_layer(node: Node) -> Form | None:
    """`layers.Activation("gelu")` is the exact one by default."""
    if not _numbered(node) or node.attrs["approximate"] != "none" or _single(node):
        return None
    return Form(Name("layers.Activation")(lift("gelu")))


@rule("softmax", "log_softmax")
def softmax(c: Context, node: Node) -> Expr:
    return getattr(OPS, node.op.name)(c.x(node.operand("x")), axis=hole(node.attrs["axis"], "axis", -1))
