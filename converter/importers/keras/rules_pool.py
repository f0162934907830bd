"""Pooling."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from ir.core import Value
from ir.ops.axes import Layout

PADDING = {"same": "same_upper", "valid": "valid"}


def _windows(op: Any, rank: int) -> dict[str, Any]:
    """Settings that both poolings share."""
    window = _each(op.pool_size, rank)
    strides = window if op.strides is None else _each(op.strides, rank)
    layout: Layout = "channels_first" if op.data_format == "channels_first" else "channels_last"
    return {
        "window": window, "strides": strides, "padding": PADDING[op.padding], "dilations": (1,) * rank, "layout": layout,
    }  # fmt: skip


def _each(value: Any, rank: int) -> tuple[int, ...]:
    return (int(value),) * rank if isinstance(value, int) else tuple(int(v) for v in value)


@rule("ops.MaxPool")
def max_pool(c: KerasContext, op: Any, inputs: Any) -> Value:
    value = c.value(inputs)
    return c.b.max_pool(value, **_windows(op, value.type.rank - 2))


@rule("ops.AveragePool")
def average_pool(c: KerasContext, op: Any, inputs: Any) -> Value:
    value = c.value(inputs)
    return c.b.avg_pool(value, **_windows(op, value.type.rank - 2), include_pad=False)
