"""Dropout: the input itself in evaluation."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, IfElse, Name, hole, lift
from converter.exporters.keras.context import Context
from converter.exporters.keras.settings import layer_dtype
from converter.exporters.keras.table import form, no_place, rule
from converter.exporters.outline.instances import Form
from ir.core import Node
from ir.types import normalize_axes


def _noise(node: Node) -> tuple[int | None, ...] | None:
    """The shape of the decisions, None for the input's own sizes; None where there is one for each element."""
    shared = normalize_axes(node.attrs["broadcast_axes"], node.operand("x").type.rank)
    return tuple(1 if i in shared else None for i in range(node.operand("x").type.rank)) if shared else None


@form("dropout")
def dropout_layer(node: Node) -> Form | None:
    """`layers.Dropout`."""
    if node.attrs["frozen"] or node.attrs["p"] in (0, 1):
        return None
    extra = {"noise_shape": hole(_noise(node), "noise_shape", None), **layer_dtype(node.operand("x"))}
    ctor = Name("layers.Dropout")(hole(node.attrs["p"], "rate"), **extra)

    def call(c: Context, layer: Expr) -> Expr:
        return layer(c.x(node.operand("x")), training=lift(True) if node.attrs["always"] else c.training())

    return Form(ctor, call=call)


def _drawn(node: Node) -> str | None:
    """Inside a body there is no place for a layer, and random numbers of no layer repeat where JAX compiles."""
    draws = not node.attrs["frozen"] and node.attrs["p"] not in (0, 1)
    inside = node.graph is not None and node.graph.parent is not None
    return "dropout inside control flow is no layer of Keras" if draws and inside else None


@rule("dropout", accepts=_drawn)
def dropout(c: Context, node: Node) -> Expr:
    """What draws nothing: everything stays, or nothing does."""
    a, x = node.attrs, c.x(node.operand("x"))
    if a["frozen"] or a["p"] == 0:
        return x
    if a["p"] != 1:
        raise no_place(node)
    nothing = Name("ops.zeros_like")(x)
    return nothing if a["always"] else IfElse(c.training(), nothing, x)
