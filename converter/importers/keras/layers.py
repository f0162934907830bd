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


def layout_of(layer: Any) -> Layout:
    """Where a layer's channels are."""
    return "channels_last" if layer.data_format == "channels_last" else "channels_first"
