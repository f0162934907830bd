"""Positions of extremes, running sums, sorting, quantiles."""

from __future__ import annotations

import math
from typing import Any

from converter.importers import composed
from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import axis_of, count, flat, on_tensorflow
from converter.importers.keras.rules_indexing import backend
from converter.importers.keras.rules_reduction import _replaced
from converter.importers.keras.spelled import spelled
from ir.core import Value
from ir.types import dtypes

_ORDER = (
    "NaN comes after all numbers in the converted model; in Keras on TensorFlow it has no place in an order (argmax passes "
    "over it, sort leaves it anywhere), and -0.0 is below 0.0 for argmax and argmin"
)


def _told(c: KerasContext, value: Value) -> None:
    """A note on what TensorFlow does with NaN and negative zeros."""
    if on_tensorflow() and value.type.dtype.is_float:
        c.note(_ORDER)


def _position(c: KerasContext, value: Value, largest: bool, axis: Any, keepdims: bool) -> Value:
    """Where the first extreme lies, as int32; without an axis, in the flat tensor."""
    rank = value.type.rank
    if value.type.dtype.is_bool:
        value = c.cast(value, dtypes.int8)
    find = c.b.argmax if largest else c.b.argmin
    if axis is None:
        found = find(flat(c, value), axis=0)
        found = c.b.reshape(found, shape=(1,) * rank) if keepdims and rank else found
    else:
        found = find(value, axis=axis_of(axis, rank), keepdims=keepdims)
    return c.cast(found, dtypes.int32)


@rule("ops.Argmax", "ops.Argmin")
def argmax(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    _told(c, value)
    return _position(c, value, type(op).__name__ == "Argmax", op.axis, bool(op.keepdims))


@rule("ops.Nanargmax", "ops.Nanargmin")
def nan_argmax(c: KerasContext, op: Any, x: Any) -> Value:
    """-1 where there is no number."""
    value, largest = c.value(x), type(op).__name__ == "Nanargmax"
    if not value.type.dtype.is_float:
        return _position(c, value, largest, op.axis, bool(op.keepdims))
    _told(c, value)
    at = _position(c, _replaced(c, value, -math.inf if largest else math.inf), largest, op.axis, bool(op.keepdims))
    axes = None if op.axis is None else (axis_of(op.axis, value.type.rank),)
    none = c.b.reduce_all(c.b.isnan(value), axes=axes, keepdims=bool(op.keepdims))
    return c.b.where(none, c.number(-1, dtypes.int32), at)


@rule("ops.Sort", "ops.Argsort")
def sort(c: KerasContext, op: Any, x: Any) -> Value:
    value, places = c.value(x), type(op).__name__ == "Argsort"
    kind = value.type.dtype
    if not value.type.rank:
        return c.b.constant([0], dtypes.int32) if places and on_tensorflow() else _alone(c, value, places)
    _told(c, value)
    value = c.cast(value, dtypes.uint8) if kind.is_bool else value
    if op.axis is None:
        value = flat(c, value)
    axis = 0 if op.axis is None else axis_of(op.axis, value.type.rank)
    ordered, at = c.b.sort(value, axis=axis, stable=True)
    return c.cast(at, dtypes.int32) if places else c.cast(ordered, kind)


def _alone(c: KerasContext, value: Value, places: bool) -> Value:
    if places:
        c.refuse("the order of a number alone", "give it an axis")
    return value


UNSORTED = "top_k without sorting leaves the order of what it finds open: in the converted model the largest comes first"


@rule("ops.TopK")
def top_k(c: KerasContext, op: Any, x: Any) -> Any:
    value = c.value(x)
    _told(c, value)
    if not op.sorted:
        c.note(UNSORTED)
    values, at = c.b.top_k(value, k=c.dim(op.k), axis=value.type.rank - 1, largest=True, sorted=bool(op.sorted))
    return values, at if backend() == "torch" else c.cast(at, dtypes.int32)


@rule("ops.InTopK")
def in_top_k(c: KerasContext, op: Any, targets: Any, predictions: Any) -> Value:
    """See `in_top_k` of `importers.composed`."""
    if not on_tensorflow():
        c.refuse("in_top_k, whose ties are TensorFlow's own", "compare with the k-th of ops.top_k")
    return composed.in_top_k(
        c.b, c.value(predictions), c.value(targets, dtypes.int64), c.b.constant(int(op.k), dtypes.int64)
    )


@rule("ops.Cumsum", "ops.Cumprod", "ops.Nancumsum", "ops.Nancumprod")
def cumulative(c: KerasContext, op: Any, x: Any) -> Value:
    form = type(op).__name__
    value = c.value(x)
    if form.startswith("Nan"):
        value = _numbers_only(c, value, 0 if form.endswith("sum") else 1)
    if op.dtype is not None:
        value = c.cast(value, op.dtype)
    if value.type.dtype.is_bool:
        value = c.cast(value, dtypes.int32)
    if op.axis is None:
        value = flat(c, value)
    axis = 0 if op.axis is None else axis_of(op.axis, value.type.rank)
    return (c.b.cumsum if form.endswith("sum") else c.b.cumprod)(value, axis=axis)


def _numbers_only(c: KerasContext, value: Value, number: float) -> Value:
    """As `nan_to_num`: infinities, too, become numbers (on TensorFlow)."""
    value = _replaced(c, value, number)
    kind = value.type.dtype
    if not kind.is_float or not on_tensorflow():
        return value
    return c.b.clip(value, c.number(kind.min, kind), c.number(kind.max, kind))


@rule("ops.SearchSorted")
def search_sorted(c: KerasContext, op: Any, sorted_sequence: Any, values: Any) -> Value:
    """How many entries lie below each number (or at it, from the right)."""
    rows, numbers = c.value(sorted_sequence), c.value(values)
    if rows.type.dtype != numbers.type.dtype:
        if on_tensorflow():
            c.refuse("entries and numbers of different dtypes", "cast one to the other's")
        kind = c.result_type(rows, numbers)
        rows, numbers = c.cast(rows, kind), c.cast(numbers, kind)
    return _below(c, rows, numbers, op.side == "right")


def _below(c: KerasContext, rows: Value, numbers: Value, right: bool) -> Value:
    wide = c.b.unsqueeze(numbers, axes=(numbers.type.rank,))
    above = c.b.greater(rows, wide) if right else c.b.greater_equal(rows, wide)
    return c.b.reduce_sum(c.cast(c.b.not_(above), dtypes.int32), axes=(above.type.rank - 1,))


@rule("ops.Digitize")
def digitize(c: KerasContext, _: Any, x: Any, bins: Any) -> Value:
    """On TensorFlow the edges are float32, and so is the comparison with integers."""
    value = c.value(x)
    kind = value.type.dtype
    edges = c.value(bins)
    if not on_tensorflow():
        wide = c.result_type(value, edges)
        return _below(c, c.cast(edges, wide), c.cast(value, wide), True)
    if not kind.is_float or kind.is_half:
        kind = dtypes.float32 if kind.is_half or kind.bits < 32 else dtypes.float64
    return _below(c, c.cast(c.cast(edges, dtypes.float32), kind), c.cast(value, kind), True)


# -- quantiles ----------------------------------------------------------------------------------------------------------
@spelled("ops.Quantile", "ops.Percentile", "ops.Median")
def quantile(op: Any, x: Any, q: Any = 0.5) -> Any:
    from keras import ops

    if type(op).__name__ == "Percentile":
        q = ops.divide(ops.cast(q, "float32"), 100.0)
    return _quantile(op, x, q)


def _quantile(op: Any, x: Any, q: Any) -> Any:
    """Positions in the sorted elements, computed in float64; NaN where there is one."""
    from keras import ops

    x = x if "float" in x.dtype else ops.multiply(x, 1.0)
    rank = len(x.shape)
    axes = sorted(a % rank for a in _listed(op.axis, rank))
    kept = [i for i in range(rank) if i not in axes]
    rows = ops.transpose(x, kept + axes) if axes != list(range(len(kept), rank)) else x
    rows = ops.reshape(rows, [x.shape[i] for i in kept] + [count(tuple(x.shape[i] for i in axes))])
    ordered = ops.sort(rows, axis=-1)
    q = ops.cast(q, "float64")
    method = getattr(op, "method", "linear")
    if type(op).__name__ == "Quantile" and op._inbound_nodes:
        method = "linear"  # Keras forgets the method in a functional graph
    found = _at(ordered, q, method)
    nan = ops.any(ops.isnan(rows), axis=-1)
    extra = len(q.shape)
    found = ops.where(ops.reshape(nan, [x.shape[i] for i in kept] + [1] * extra), math.nan, found)
    if op.keepdims:
        found = ops.reshape(found, [1 if i in axes else x.shape[i] for i in range(rank)] + list(q.shape))
    order = [len(found.shape) - extra + i for i in range(extra)] + list(range(len(found.shape) - extra))
    return ops.transpose(found, order) if extra and len(found.shape) > 1 else found


def _listed(axis: Any, rank: int) -> list[int]:
    if axis is None:
        return list(range(rank))
    return [int(a) for a in axis] if isinstance(axis, (tuple, list)) else [int(axis)]


def _at(ordered: Any, q: Any, method: str, last: Any = None) -> Any:
    """The elements at parts `q` of the way along the last axis; `last` is where it ends, for each row its own if a tensor."""
    from keras import ops

    own = last is not None
    last = ordered.shape[-1] - 1 if last is None else last
    exact = ops.multiply(ops.cast(last, "float64"), q)

    def place(rounded: Any) -> Any:
        return ops.minimum(ops.maximum(ops.cast(rounded, "int32"), 0), last)

    def pick(at: Any) -> Any:
        if not own:
            return ops.take(ordered, at, axis=-1)
        at = ops.maximum(at, 0)
        return ops.squeeze(ops.take_along_axis(ordered, ops.expand_dims(at, -1), axis=-1), -1)

    if method in ("lower", "higher", "nearest"):
        rounding = {"lower": ops.floor, "higher": ops.ceil, "nearest": ops.round}[method]
        return pick(place(rounding(exact)))
    low, high = place(ops.floor(exact)), place(ops.ceil(exact))
    if method == "midpoint":
        return ops.multiply(0.5, ops.add(pick(low), pick(high)))
    below = ops.maximum(ops.subtract(high, 1), 0)
    above = ops.minimum(ops.add(below, 1), last)
    part = ops.cast(ops.subtract(ops.cast(above, "float64"), exact), ordered.dtype)
    return ops.add(ops.multiply(pick(above), ops.subtract(1.0, part)), ops.multiply(pick(below), part))


@spelled("ops.Nanquantile", "ops.Nanpercentile", "ops.Nanmedian")
def nan_quantile(op: Any, x: Any, q: Any = 0.5) -> Any:
    """Of the numbers of each row; NaN where there is none."""
    from keras import ops

    from converter.importers.keras.rules_creation import raise_refusal

    if "float" not in x.dtype or (hasattr(q, "shape") and len(q.shape)):
        raise_refusal("quantiles of integers, or several at once, beside NaN", "cast to floats, and take one at a time")
    q = ops.cast(q, "float32")
    q = ops.cast(ops.divide(q, 100.0) if type(op).__name__ == "Nanpercentile" else q, "float64")
    rank = len(x.shape)
    axes = sorted(a % rank for a in _listed(op.axis, rank))
    if not axes:
        return x
    kept = [i for i in range(rank) if i not in axes]
    rows = ops.reshape(
        ops.transpose(x, kept + axes), [x.shape[i] for i in kept] + [count(tuple(x.shape[i] for i in axes))]
    )
    nan = ops.isnan(rows)
    ordered = ops.sort(ops.where(nan, math.inf, rows), axis=-1)
    numbers = ops.sum(ops.cast(ops.logical_not(nan), "int32"), axis=-1)
    found = _at(ordered, q, getattr(op, "method", "linear"), ops.subtract(numbers, 1))
    found = ops.where(ops.equal(numbers, 0), math.nan, found)
    return ops.reshape(found, [1 if i in axes else x.shape[i] for i in range(rank)]) if op.keepdims else found
