"""What rules of layers share."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext
from ir.core import Value
from ir.ops.axes import Layout


def finish(c: KerasContext, layer: Any, value: Value) -> Any:
    """The layer's activation on its result; it stands beside the layer, not in it."""
    activation = getattr(layer, "activation", None)
    if activation is None or getattr(activation, "__name__", "") == "linear":
        return value
    with c.outside():
        return activation(c.tensor(value))


def layout_of(spec: Any) -> Layout:
    """Where a layer's or an operation's channels are; the user's setting where it does not say."""
    from keras.src.backend import standardize_data_format

    return "channels_last" if standardize_data_format(spec.data_format) == "channels_last" else "channels_first"


def each(value: Any, rank: int) -> tuple[int, ...]:
    """One number for each of `rank` axes, given as one or as all."""
    return (int(value),) * rank if isinstance(value, int) else tuple(int(v) for v in value)
