"""Dropout of elements and of whole channels. Layers that add or multiply noise say themselves what they do."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.layers import layout_of
from ir.core import Value


@rule("layers.Dropout")
def dropout(c: KerasContext, layer: Any, inputs: Any, training: Any = False) -> Value:
    x = c.value(inputs)
    shape = layer.noise_shape or (None,) * x.type.rank
    if len(shape) != x.type.rank:
        c.refuse(f"noise_shape={shape} on a tensor of {x.type.rank} axes")
    for wanted, size in zip(shape, x.type.shape):
        if wanted not in (None, 1) and wanted != size:
            c.refuse(f"noise_shape={shape} on a tensor of shape {list(x.type.shape)}", "give None for whole axes")
    return drop(c, layer, x, training, tuple(i for i, n in enumerate(shape) if n == 1))


@rule("layers.SpatialDropout1D", "layers.SpatialDropout2D", "layers.SpatialDropout3D")
def spatial_dropout(c: KerasContext, layer: Any, inputs: Any, training: Any = False) -> Value:
    """One decision for each channel of a sample."""
    x = c.value(inputs)
    last = x.type.rank == 3 or layout_of(layer) == "channels_last"
    return drop(c, layer, x, training, tuple(range(1, x.type.rank - 1) if last else range(2, x.type.rank)))


def drop(c: KerasContext, layer: Any, x: Value, training: Any, shared: tuple[int, ...]) -> Value:
    """Dropout in the mode in which the layer is called."""
    trains = c.tracer.trains(layer, training)
    if not layer.rate:
        return x
    always = bool(training) and not c.training
    return c.b.dropout(x, p=float(layer.rate), broadcast_axes=shared, frozen=not trains and not always, always=always)
