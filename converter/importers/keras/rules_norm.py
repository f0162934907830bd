"""Normalisation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from converter.importers.keras.context import KerasContext, rule
from ir.core import Value


@rule("layers.BatchNormalization")
def batch_normalization(c: KerasContext, layer: Any, inputs: Any, training: Any = None, mask: Any = None) -> Value:
    if layer.synchronized:
        c.refuse("statistics that are gathered across devices", "build the layer with synchronized=False")
    x = c.value(inputs)
    kind = x.type.dtype
    trains = c.tracer.trains(layer, training) and bool(layer.trainable)
    if mask is not None and trains:
        c.refuse("statistics of masked positions in training", "freeze the layer")
    moving = [c.value(v) for v in (layer.moving_mean, layer.moving_variance)]
    scale, offset = (
        c.optional(v) for v in (layer.gamma if layer.scale else None, layer.beta if layer.center else None)
    )
    kinds = {v.type.dtype for v in (*moving, scale, offset) if v is not None}
    if kinds != {kind}:
        c.refuse(f"{kind} inputs with statistics in other dtypes")
    result, *moved = c.b.batch_norm(
        x, scale, offset, *moving, axis=layer.axis, eps=float(layer.epsilon), momentum=_rest(layer.momentum),
        unbiased=False, frozen=not trains,
    )  # fmt: skip
    if trains:
        for variable, value in zip((layer.moving_mean, layer.moving_variance), moved):
            c.weights.assign(variable, value)
    return result


def _rest(momentum: float) -> float:
    """1 - momentum as one would write it: 0.01 for 0.99."""
    return float(1 - Decimal(repr(float(momentum))))
