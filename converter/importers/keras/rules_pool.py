"""Pooling."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.layers import each, layout_of
from ir.core import Value

PADDING = {"same": "same_upper", "valid": "valid"}


def _windows(op: Any, rank: int) -> dict[str, Any]:
    """Settings that both poolings share."""
    window = each(op.pool_size, rank)
    strides = window if op.strides is None else each(op.strides, rank)
    return {
        "window": window, "strides": strides, "padding": PADDING[op.padding], "dilations": (1,) * rank,
        "layout": layout_of(op),
    }  # fmt: skip


@rule("ops.MaxPool")
def max_pool(c: KerasContext, op: Any, inputs: Any) -> Value:
    value = c.value(inputs)
    return c.b.max_pool(value, **_windows(op, value.type.rank - 2))


@rule("ops.AveragePool")
def average_pool(c: KerasContext, op: Any, inputs: Any) -> Value:
    value = c.value(inputs)
    return c.b.avg_pool(value, **_windows(op, value.type.rank - 2), include_pad=False)


@rule("ops.AdaptiveMaxPool", "ops.AdaptiveAveragePool")
def adaptive_pool(c: KerasContext, op: Any, inputs: Any) -> Value:
    """Windows of two sizes that give the sizes wanted."""
    value = c.value(inputs)
    sizes = each(op.output_size, value.type.rank - 2)
    pool = c.b.adaptive_max_pool if type(op).__name__ == "AdaptiveMaxPool" else c.b.adaptive_avg_pool
    return pool(value, output_size=sizes, layout=layout_of(op))
