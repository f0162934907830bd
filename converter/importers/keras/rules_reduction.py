"""Reductions over axes."""

from __future__ import annotations

import math
from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import axes_of, axis_of, floating, on_tensorflow, widened
from converter.importers.keras.rules_indexing import backend
from ir.core import Value
from ir.types import dtypes


def _over(op: Any, value: Value) -> dict[str, Any]:
    """Axes (none of an empty list) and whether they stay."""
    return {"axes": axes_of(op.axis, value.type.rank), "keepdims": bool(getattr(op, "keepdims", False))}


@rule("ops.Mean")
def mean(c: KerasContext, op: Any, x: Any) -> Value:
    """In the dtype that Keras computes in: of doubles float32, on torch."""
    value = floating(c, x)
    kind = value.type.dtype
    if not kind.is_half:
        value = c.cast(value, c.result_type(value, "float32"))
    return c.cast(c.b.reduce_mean(value, **_over(op, value)), kind)


@rule("ops.Sum", "ops.Nansum")
def total(c: KerasContext, op: Any, x: Any) -> Value:
    """Small integers are added up in 32 bits."""
    value = c.value(x)
    if "Nan" in type(op).__name__:
        value = _replaced(c, value, 0)
    value = c.cast(value, widened(value.type.dtype.name))
    return c.b.reduce_sum(value, **_over(op, value))


@rule("ops.Prod", "ops.Nanprod")
def product(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    if "Nan" in type(op).__name__:
        value = _replaced(c, value, 1)
    kind = getattr(op, "dtype", None)
    if kind is not None and on_tensorflow():
        kind = value.type.dtype.name if kind is None else None
        if op.dtype != value.type.dtype.name:
            c.refuse("a product in a dtype of its own, which TensorFlow's backend ignores", "cast before the product")
    value = c.cast(value, kind or widened(value.type.dtype.name))
    return c.b.reduce_prod(value, **_over(op, value))


def _replaced(c: KerasContext, value: Value, number: float) -> Value:
    """NaN replaced by a number."""
    if not value.type.dtype.is_float:
        return value
    return c.b.where(c.b.isnan(value), c.number(number, value.type.dtype), value)


def extreme(c: KerasContext, value: Value, largest: bool, **over: Any) -> Value:
    """The largest or smallest element; of truth values whether one, or all, hold."""
    if value.type.dtype.is_bool:
        return (c.b.reduce_any if largest else c.b.reduce_all)(value, **over)
    return (c.b.reduce_max if largest else c.b.reduce_min)(value, **over)


@rule("ops.Max", "ops.Amax", "ops.Min", "ops.Amin")
def maximum(c: KerasContext, op: Any, x: Any) -> Value:
    value, largest = c.value(x), "max" in type(op).__name__.lower()
    initial = getattr(op, "initial", None)
    if initial is not None:
        _check_filled(c, value, op)
    found = extreme(c, value, largest, **_over(op, value))
    if initial is None:
        return found
    if value.type.dtype.is_bool:
        return (c.b.or_ if largest else c.b.and_)(found, c.number(bool(initial), dtypes.bool_))
    return (c.b.maximum if largest else c.b.minimum)(found, c.number(initial, value.type.dtype))


def _check_filled(c: KerasContext, value: Value, op: Any) -> None:
    """With an initial value the extreme of nothing is a number."""
    axes = axes_of(op.axis, value.type.rank)
    if any(not isinstance(value.type.shape[a], int) or value.type.shape[a] == 0 for a in axes):
        c.refuse("an initial value over an axis that may be empty", "use ops.maximum on the result, or a fixed size")


@rule("ops.Nanmax", "ops.Nanmin")
def nan_extreme(c: KerasContext, op: Any, x: Any) -> Value:
    value, largest = c.value(x), type(op).__name__ == "Nanmax"
    over = _over(op, value)
    if not value.type.dtype.is_float:
        return extreme(c, value, largest, **over)
    found = extreme(c, _replaced(c, value, -math.inf if largest else math.inf), largest, **over)
    none = c.b.reduce_all(c.b.isnan(value), **over)
    return c.b.where(none, c.number(math.nan, value.type.dtype), found)


@rule("ops.Any", "ops.All")
def any_all(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x, "bool")
    return (c.b.reduce_any if type(op).__name__ == "Any" else c.b.reduce_all)(value, **_over(op, value))


@rule("ops.CountNonzero")
def count_nonzero(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x, "bool")
    return c.b.reduce_sum(c.cast(value, dtypes.int32), **_over(op, value))


@rule("ops.Var", "ops.Std")
def variance(c: KerasContext, op: Any, x: Any) -> Value:
    value = floating(c, x)
    reduce = c.b.reduce_var if type(op).__name__ == "Var" else c.b.reduce_std
    return reduce(value, correction=0.0, **_over(op, value))


@rule("ops.Moments")
def moments(c: KerasContext, op: Any, x: Any) -> Any:
    if op.synchronized:
        c.refuse("statistics that are gathered across devices", "use synchronized=False")
    value = c.value(x)
    if not value.type.dtype.is_float:
        c.refuse("moments of integers", "cast them to floats")
    if value.type.dtype.name == "bfloat16" and backend() == "torch":
        c.refuse("moments of bfloat16 on torch, the difference of two squares rounded to it", "cast to float32")
    over = {"axes": axes_of(op.axes, value.type.rank), "keepdims": bool(op.keepdims)}
    found = (c.b.reduce_mean(value, **over), c.b.reduce_var(value, correction=0.0, **over))
    if value.type.dtype.name != "bfloat16":
        return found
    low, high = (c.number(n, value.type.dtype) for n in (-65504, 65504))
    return tuple(c.b.clip(v, low, high) for v in found)  # Keras clips to what float16 holds


@rule("ops.Ptp")
def ptp(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    over = _over(op, value)
    return c.b.sub(c.b.reduce_max(value, **over), c.b.reduce_min(value, **over))


@rule("ops.Logsumexp")
def logsumexp(c: KerasContext, op: Any, x: Any) -> Value:
    value = floating(c, x)
    return c.b.reduce_log_sum_exp(value, **_over(op, value))


@rule("ops.Nanmean", "ops.Nanvar", "ops.Nanstd")
def nan_moments(c: KerasContext, op: Any, x: Any) -> Value:
    """Sums over what is a number, by the count of those."""
    value, over = floating(c, x), {**_over(op, c.value(x))}
    form = type(op).__name__
    if not over["axes"] and op.axis is not None and form == "Nanmean":
        return c.value(x)
    whole = _nan_mean(c, value, {**over, "keepdims": over["keepdims"] if form == "Nanmean" else True})
    if form == "Nanmean":
        return whole
    apart = c.b.square(_replaced(c, c.b.sub(value, whole), 0))
    apart = c.b.where(c.b.isnan(value), c.number(0, value.type.dtype), c.b.square(c.b.sub(value, whole)))
    found = c.b.div(c.b.reduce_sum(apart, **over), _numbers(c, value, over))
    return c.b.sqrt(found) if form == "Nanstd" else found


def _numbers(c: KerasContext, value: Value, over: dict[str, Any]) -> Value:
    return c.b.reduce_sum(c.cast(c.b.not_(c.b.isnan(value)), value.type.dtype), **over)


def _nan_mean(c: KerasContext, value: Value, over: dict[str, Any]) -> Value:
    return c.b.div(c.b.reduce_sum(_replaced(c, value, 0), **over), _numbers(c, value, over))


@rule("ops.Average")
def average(c: KerasContext, op: Any, x: Any, weights: Any = None) -> Value:
    """Weights of the operand's rank count element by element, a vector of them along the axis."""
    if weights is None:
        value = floating(c, x)
        return c.b.reduce_mean(value, **_over(op, value))
    kind = c.result_type(x, weights, float)
    value, weight = c.value(x, kind), c.value(weights, kind)
    if op.axis is not None and weight.type.rank != value.type.rank:
        axis = axis_of(op.axis, value.type.rank)
        weight = c.b.reshape(
            weight, shape=tuple(value.type.shape[axis] if i == axis else 1 for i in range(value.type.rank))
        )
        mass = c.b.reduce_sum(weight, axes=None)
        return c.b.div(c.b.reduce_sum(c.b.mul(value, weight), axes=(axis,)), mass)
    over = _over(op, value)
    if op.axis is None and weight.type.rank != value.type.rank:
        c.refuse("weights of another rank than what they weigh, without an axis", "give the axis")
    return c.b.div(c.b.reduce_sum(c.b.mul(value, weight), **over), c.b.reduce_sum(weight, **over))


@rule("ops.Trace")
def trace(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    value = c.cast(value, widened(value.type.dtype.name))
    rank = value.type.rank
    along = c.b.diagonal(value, offset=op.offset, axis1=axis_of(op.axis1, rank), axis2=axis_of(op.axis2, rank))
    return c.b.reduce_sum(along, axes=(along.type.rank - 1,))
