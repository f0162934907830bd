"""Reductions over axes."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from converter.exporters.outline.operands import axes_of
from ir.core import Node
from ir.ops.reduction import reduced_axes

_NAMES = {
    "reduce_sum": "sum", "reduce_mean": "mean", "reduce_prod": "prod", "reduce_max": "max", "reduce_min": "min",
    "reduce_any": "any", "reduce_all": "all",
}  # fmt: skip


SHARED = (
    "of elements that are the largest or smallest alike, Keras gives each its share of the gradient, the source one all"
)


def settings(node: Node) -> dict[str, Any]:
    """`axis=` and `keepdims=`, defaults left out."""
    axes = axes_of(node)
    found: dict[str, Any] = {}
    if axes is not None:
        found["axis"] = hole(axes[0] if len(axes) == 1 else tuple(axes), "axis")
    if node.attrs["keepdims"]:
        found["keepdims"] = lift(True)
    return found


def _exact(node: Node) -> str | None:
    double = node.op.name == "reduce_prod" and node.output.type.dtype.name == "float64" and node.attrs["axes"] != ()
    return "on PyTorch, Keras' products of float64 are float32" if double else None


@rule(*_NAMES, accepts=_exact)
def reduction(c: Context, node: Node) -> Expr:
    x, dtype = c.x(node.operand("x")), node.output.type.dtype
    if node.attrs["axes"] == ():
        return x
    if node.op.name in ("reduce_max", "reduce_min") and 0 in node.operand("x").type.shape:
        return OPS.zeros(lift(tuple(c.shape(node.output.type.shape))), dtype=c.dtype(dtype))  # an empty result
    if node.op.name == "reduce_mean" and dtype.name == "float64":  # on PyTorch, ops.mean gives float32 of it
        axes = reduced_axes(node.attrs["axes"], node.operand("x").type.rank)
        return c.helper("wide_mean")(x, lift(tuple(axes)), keepdims=hole(node.attrs["keepdims"], "keepdims", False))
    if dtype.is_float and node.attrs.get("ties") == "first":
        c.note(SHARED)
    result = getattr(OPS, _NAMES[node.op.name])(x, **settings(node))
    if dtype.is_integer and (node.op.name == "reduce_prod" or (node.op.name == "reduce_sum" and dtype.bits < 64)):
        return c.cast(result, dtype)  # Keras' sums and products have a type of their own
    return result


@rule("reduce_log_sum_exp", accepts=lambda n: "reduces no axis" if n.attrs["axes"] == () else None)
def log_sum_exp(c: Context, node: Node) -> Expr:
    return OPS.logsumexp(c.x(node.operand("x")), **settings(node))
