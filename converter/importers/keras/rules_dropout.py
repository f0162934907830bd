"""Dropout and its relatives."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from ir.core import Value


@rule("layers.Dropout")
def dropout(c: KerasContext, layer: Any, inputs: Any, training: Any = False) -> Value:
    x = c.value(inputs)
    trains = c.tracer.trains(layer, training)
    if not layer.rate:
        return x
    shape = layer.noise_shape or (None,) * x.type.rank
    shared = tuple(i for i, n in enumerate(shape) if n == 1)
    always = bool(training) and not c.training
    return c.b.dropout(x, p=float(layer.rate), broadcast_axes=shared, frozen=not trains and not always, always=always)
