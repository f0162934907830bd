"""Normalisation. Keras computes it in float32 at least, and casts the result back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from converter.importers.keras.context import KerasContext, Unruled, rule
from converter.importers.keras.operands import axes_of, axis_of
from converter.importers.keras.rules_indexing import backend
from ir.core import Value
from ir.types import DType, dtype


def _wide(c: KerasContext, x: Value) -> DType:
    return dtype(c.result_type(x, "float32"))


# -- batches ------------------------------------------------------------------------------------------------------------
@rule("layers.BatchNormalization")
def batch_normalization(c: KerasContext, layer: Any, inputs: Any, training: Any = None, mask: Any = None) -> Value:
    trains = c.tracer.trains(layer, training) and bool(layer.trainable)
    special = mask is not None or layer.renorm
    if special and trains and c.training:
        raise Unruled  # moments of what the mask leaves, or corrected ones
    if trains and layer.synchronized:
        c.note("statistics that Keras gathers across devices are those of one device")
    x = c.value(inputs)
    kind = _wide(c, x)
    moving = [c.value(v, kind) for v in (layer.moving_mean, layer.moving_variance)]
    scale, offset = c.optional(layer.gamma, kind), c.optional(layer.beta, kind)
    result, *moved = c.b.batch_norm(
        c.cast(x, kind), scale, offset, *moving, axis=layer.axis, eps=float(layer.epsilon),
        momentum=_rest(layer.momentum), unbiased=False, frozen=special or not trains,
    )  # fmt: skip
    if trains and not special:
        for variable, value in zip((layer.moving_mean, layer.moving_variance), moved):
            c.tracer.assign(variable, value)
    return c.cast(result, layer.compute_dtype)


def _rest(momentum: float) -> float:
    """1 - momentum as one would write it: 0.01 for 0.99."""
    return float(1 - Decimal(repr(float(momentum))))


@rule("ops.BatchNorm")
def batch_norm(
    c: KerasContext, op: Any, x: Any, mean: Any, variance: Any, offset: Any = None, scale: Any = None
) -> Value:
    value = c.value(x)
    kind = value.type.dtype
    result, *_ = c.b.batch_norm(
        value, c.optional(scale, kind), c.optional(offset, kind), c.value(mean, kind), c.value(variance, kind),
        axis=op.axis, eps=float(op.epsilon), frozen=True,
    )  # fmt: skip
    return result


# -- samples ------------------------------------------------------------------------------------------------------------
@rule("ops.LayerNorm")
def layer_norm(c: KerasContext, op: Any, x: Any, gamma: Any = None, beta: Any = None) -> Value:
    value = c.value(x)
    kind, axes = _wide(c, value), axes_of(op.axis, value.type.rank)
    wide = c.cast(value, kind)
    scale, offset = c.optional(gamma, kind), c.optional(beta, kind)
    if any(v is not None and v.type.rank != len(axes) for v in (scale, offset)):
        c.refuse("a scale or offset that has not just the normalised axes")
    eps = _epsilon(op.epsilon)
    if not op.rms_scaling:
        return c.cast(c.b.layer_norm(wide, scale, offset, axes=axes, eps=eps), value.type.dtype)
    variance = c.b.reduce_var(wide, axes=axes, keepdims=True, correction=0.0)
    result = c.b.mul(wide, c.b.rsqrt(c.b.add(variance, c.number(eps, kind))))
    if scale is not None:
        missing = tuple(i for i in range(value.type.rank) if i not in axes)
        result = c.b.mul(result, c.b.unsqueeze(scale, axes=missing) if missing else scale)
    return c.cast(result, value.type.dtype)


@rule("ops.RMSNorm")
def rms_norm(c: KerasContext, op: Any, x: Any, scale: Any = None) -> Value:
    """The scale is multiplied as it is: it belongs to the axes only where they are the last ones."""
    value = c.value(x)
    rank = value.type.rank
    if not rank:
        c.refuse("a 0-d tensor, which becomes one of one axis")
    kind, axes = _wide(c, value), axes_of(op.axis, rank)
    factor = c.optional(scale, kind)
    own = factor is not None and axes == tuple(range(rank - len(axes), rank)) and factor.type.rank == len(axes)
    result = c.b.rms_norm(c.cast(value, kind), factor if own else None, axes=axes, eps=_epsilon(op.epsilon))
    if factor is not None and not own:
        result = c.b.mul(result, factor)
    return c.cast(result, value.type.dtype)


def _epsilon(epsilon: Any) -> float:
    from keras import config

    return float(config.epsilon() if epsilon is None else epsilon)


@rule("layers.GroupNormalization")
def group_normalization(c: KerasContext, layer: Any, inputs: Any, training: Any = None) -> Value:
    x = c.value(inputs)
    axis = axis_of(layer.axis, x.type.rank)
    if axis not in (1, x.type.rank - 1) or layer.compute_dtype != x.type.dtype.name:
        raise Unruled
    kind = x.type.dtype
    return c.b.group_norm(
        x, c.optional(layer.gamma if layer.scale else None, kind), c.optional(layer.beta if layer.center else None, kind),
        groups=layer.groups, eps=float(layer.epsilon),
        layout="channels_last" if axis == x.type.rank - 1 else "channels_first",
    )  # fmt: skip


# -- vectors ------------------------------------------------------------------------------------------------------------
@rule("ops.Normalize")
def normalize(c: KerasContext, op: Any, x: Any) -> Value:
    """x * min(1 / norm, 1 / epsilon) in the dtype of x; half floats may overflow on the way, and do as Keras does."""
    value = c.value(x)
    kind, rank = value.type.dtype, value.type.rank
    if kind.name == "float64" and backend() == "torch":
        c.refuse("norms of float64 on torch, where Keras computes them in float32", "cast to float32")
    if not kind.is_float or not rank:
        c.refuse(f"{kind} tensors of {rank} axes")
    axes, eps = axes_of(op.axis, rank), _epsilon(op.epsilon)
    if len(axes) == 1 and not kind.is_half:
        return c.b.normalize(value, p=float(op.order), axis=axes[0], eps=eps)
    if op.order != 2:
        c.refuse(f"norms of order {op.order} of {kind} tensors over axes {axes}")
    total = c.b.reduce_sum(c.b.square(value), axes=axes, keepdims=True)
    return c.b.mul(value, c.b.minimum(c.b.rsqrt(total), c.number(1.0 / eps, kind)))
