"""Pooling."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.layers import each, layout_of
from converter.importers.keras.rules_indexing import backend
from converter.policies import MAX_POOL_NAN
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
    if value.type.dtype.is_float and backend() == "tensorflow":
        c.note(MAX_POOL_NAN)
    return c.b.max_pool(value, **_windows(op, value.type.rank - 2))


@rule("ops.AveragePool")
def average_pool(c: KerasContext, op: Any, inputs: Any) -> Value:
    value = c.value(inputs)
    settings = _windows(op, value.type.rank - 2)
    if op.padding == "same" and backend() == "torch":
        value, settings = _edges_averaged(c, value, settings)
    return c.b.avg_pool(value, **settings, include_pad=False)


def _edges_averaged(c: KerasContext, value: Value, settings: dict[str, Any]) -> tuple[Value, dict[str, Any]]:
    """On torch, where any axis has more padding behind than before, Keras repeats the edges of all axes and counts them."""
    first = 1 if settings["layout"] == "channels_last" else 2
    sizes = value.type.shape[first : first + len(settings["window"])]
    pads = []
    for size, window, stride in zip(sizes, settings["window"], settings["strides"], strict=True):
        if stride > 1 and not isinstance(size, int):
            c.refuse("average pooling with same padding of an open size on torch, where the padding's form decides what is "
                     "averaged", "give the size as a number")  # fmt: skip
        total = window - 1 if stride == 1 else max((-(-size // stride) - 1) * stride + window - size, 0)
        pads.append((total // 2, total - total // 2))
    if all(before == after for before, after in pads):
        return value, settings
    around = [(0, 0)] * value.type.rank
    around[first : first + len(pads)] = pads
    return c.b.pad(value, pads=tuple(around), mode="edge"), {**settings, "padding": "valid"}


@rule("ops.AdaptiveMaxPool", "ops.AdaptiveAveragePool")
def adaptive_pool(c: KerasContext, op: Any, inputs: Any) -> Value:
    """Windows of two sizes that give the sizes wanted."""
    value = c.value(inputs)
    sizes = each(op.output_size, value.type.rank - 2)
    pool = c.b.adaptive_max_pool if type(op).__name__ == "AdaptiveMaxPool" else c.b.adaptive_avg_pool
    return pool(value, output_size=sizes, layout=layout_of(op))
