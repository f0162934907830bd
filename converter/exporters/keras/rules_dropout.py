"""Dropout: the input itself in evaluation."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, IfElse, Name, hole, lift
from converter.exporters.keras.context import Context
from converter.exporters.keras.settings import layer_dtype
from converter.exporters.keras.table import form, rule
from converter.exporters.outline.instances import Form
from ir.core import Node
from ir.types import normalize_axes

_RANDOM = Name("keras.random.dropout")


def _noise(node: Node) -> tuple[int | None, ...] | None:
    """The shape of the decisions, None for the input's own sizes; None where there is one for each element."""
    shared = normalize_axes(node.attrs["broadcast_axes"], node.operand("x").type.rank)
    return tuple(1 if i in shared else None for i in range(node.operand("x").type.rank)) if shared else None


@form("dropout")
def dropout_layer(node: Node) -> Form | None:
    """`layers.Dropout`."""
    if node.attrs["frozen"] or node.attrs["p"] == 1 or node.operand("x").type.rank == 0:
        return None
    extra = {"noise_shape": hole(_noise(node), "noise_shape", None), **layer_dtype(node.operand("x"))}
    ctor = Name("layers.Dropout")(hole(node.attrs["p"], "rate"), **extra)
    if not node.attrs["always"]:
        return Form(ctor)
    return Form(ctor, call=lambda c, layer: layer(c.x(node.operand("x")), training=lift(True)))


@rule("dropout")
def dropout(c: Context, node: Node) -> Expr:
    a, x = node.attrs, c.x(node.operand("x"))
    if a["frozen"] or a["p"] == 0:
        return x
    if a["p"] == 1:
        dropped = Name("ops.zeros_like")(x)
    else:
        noise = _noise(node)
        if noise is None:
            dropped = _RANDOM(x, hole(a["p"], "rate"))
        else:
            sizes = node.operand("x").type.shape
            shape = tuple(lift(1) if n == 1 else c.dim(d) for n, d in zip(noise, sizes))
            dropped = _RANDOM(x, hole(a["p"], "rate"), noise_shape=lift(shape))
    return dropped if a["always"] else IfElse(c.training(), dropped, x)
