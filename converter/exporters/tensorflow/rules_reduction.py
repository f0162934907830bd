"""Reductions over axes."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.outline.operands import axes_of
from converter.exporters.tensorflow.context import TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node

_NAMES = {f"reduce_{name}": f"reduce_{name}" for name in ("sum", "mean", "prod", "max", "min", "any", "all")}
_NAMES |= {"reduce_log_sum_exp": "reduce_logsumexp"}
COMPILED = "compiled by XLA, TensorFlow's maxima and minima over axes pass over NaN, which the source hands on"
SHARED = "of elements that are the largest or smallest alike, TensorFlow gives each its share of the gradient, the source one all"
_ROUNDING = ("reduce_sum", "reduce_mean", "reduce_prod", "reduce_log_sum_exp")


def settings(node: Node) -> dict[str, Any]:
    """`axis=` and `keepdims=`, defaults left out."""
    axes = axes_of(node)
    found: dict[str, Any] = {}
    if axes is not None:
        found["axis"] = hole(axes[0] if len(axes) == 1 else tuple(axes), "axis")
    if node.attrs["keepdims"]:
        found["keepdims"] = lift(True)
    return found


@rule(*_NAMES)
def reduction(c: Context, node: Node) -> Expr:
    """Half types are added up in float32, as other frameworks do: TensorFlow rounds each step."""
    kind = node.output.type.dtype
    if kind.is_float and node.op.name in ("reduce_max", "reduce_min"):
        c.note(COMPILED)
    if kind.is_float and node.attrs.get("ties") == "first":
        c.note(SHARED)
    wide = "float32" if kind.is_half and node.op.name in _ROUNDING else kind.name
    function, extra = getattr(TF, _NAMES[node.op.name]), settings(node)
    if node.attrs["axes"] == ():
        extra["axis"] = lift([])
    return c.widened(kind, wide, lambda x: function(x, **extra), c.x(node.operand("x")))
