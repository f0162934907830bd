"""Positions of extremes, running totals, orders, bins."""

from __future__ import annotations

import math

import numpy as np

from converter.importers import composed
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.rules_shape import axis_of
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import DType, dtypes, numel

_ORDER = (
    "NaN comes after all numbers in the converted model; in TensorFlow it has no place in an order (argmax and argmin pass "
    "over it, top_k leaves it anywhere)"
)


def _told(c: TensorflowContext, kind: DType) -> None:
    if kind.is_float:
        c.note(_ORDER)


@rule("ArgMax", "ArgMin")
def argmax(c: TensorflowContext) -> Value:
    """The first of equals."""
    x = c.x()
    _told(c, x.type.dtype)
    x = c.cast(x, dtypes.uint8) if x.type.dtype.is_bool else x
    if x.type.dtype.is_complex:
        c.refuse("an order of complex numbers")
    find = c.b.argmax if c.op == "ArgMax" else c.b.argmin
    return c.cast(find(x, axis=axis_of(c, 1, x.type.rank)), c.attr("output_type"))


UNSORTED = "top_k without sorting leaves the order of what it finds open: in the converted model the largest comes first"


@rule("TopKV2")
def top_k(c: TensorflowContext) -> list[Value]:
    """Along the last axis, the first of equals first."""
    x = c.x()
    _told(c, x.type.dtype)
    if not c.attr("sorted"):
        c.note(UNSORTED)
    values, at = c.b.top_k(x, k=c.dims(1, "k")[0], axis=x.type.rank - 1, largest=True, sorted=bool(c.attr("sorted")))
    return [values, c.cast(at, c.attr("index_type"))]


@rule("NthElement")
def nth_element(c: TensorflowContext) -> Value:
    """The n-th smallest of each row, or the n-th largest."""
    x = c.x()
    _told(c, x.type.dtype)
    axis = x.type.rank - 1
    ordered, _ = c.b.sort(x, axis=axis, descending=bool(c.attr("reverse")), stable=True)
    return c.b.gather(ordered, c.x(1), axis=axis, bounds="error", neg="invalid")


@rule("InTopK", "InTopKV2")
def in_top_k(c: TensorflowContext) -> Value:
    """See `in_top_k` of `importers.composed`."""
    k = c.b.constant(c.attr("k"), dtypes.int64) if c.op == "InTopK" else c.cast(c.x(2), dtypes.int64)
    return composed.in_top_k(c.b, c.x(0), c.cast(c.x(1), dtypes.int64), k)


# -- running totals -----------------------------------------------------------------------------------------------------
@rule("Cumsum", "Cumprod")
def cumulative(c: TensorflowContext) -> Value:
    x = c.x()
    if not x.type.rank:
        c.refuse("running totals of a number alone")
    settings = {n: bool(c.attr(n)) for n in ("exclusive", "reverse")}
    return getattr(c.b, c.op.lower())(x, axis=axis_of(c, 1, x.type.rank), **settings)


@rule("CumulativeLogsumexp")
def cumulative_log_sum_exp(c: TensorflowContext) -> Value:
    """Of all elements before each one, and it: every pair of places is looked at."""
    x, b = c.x(), c.b
    axis = axis_of(c, 1, x.type.rank)
    size = x.type.shape[axis]
    square = b.full(shape=(size, size), value=True, dtype=dtypes.bool_)
    least = 1 if c.attr("exclusive") else 0
    seen = b.triu(square, k=least) if c.attr("reverse") else b.tril(square, k=-least)
    last = x.type.rank - 1
    perm = (*(i for i in range(x.type.rank) if i != axis), axis)
    moved = x if axis == last else b.transpose(x, perm=perm)
    spread = b.where(seen, b.unsqueeze(moved, axes=(last,)), -math.inf)
    found = b.reduce_log_sum_exp(spread, axes=(last + 1,))
    return found if axis == last else b.transpose(found, perm=tuple(perm.index(i) for i in range(x.type.rank)))


# -- bins ---------------------------------------------------------------------------------------------------------------
@rule("LowerBound", "UpperBound")
def bound(c: TensorflowContext) -> Value:
    """How many entries of a sorted row lie below each number of it (or are no more than it)."""
    if c.rank(0) != 2 or c.rank(1) != 2:
        c.refuse(f"sorted rows of {c.type(0)} and numbers of {c.type(1)}, which are no matrices")
    c.note("what a search in rows that are not in ascending order finds, TensorFlow leaves open")
    b, rows, numbers = c.b, c.b.unsqueeze(c.x(0), axes=(1,)), c.b.unsqueeze(c.x(1), axes=(2,))
    counted = b.less(rows, numbers) if c.op == "LowerBound" else b.not_(b.less(numbers, rows))
    kind = c.attr("out_type")
    return b.reduce_sum(c.cast(counted, kind), axes=(2,))


@rule("Bucketize")
def bucketize(c: TensorflowContext) -> Value:
    """How many boundaries, which are float32, a number has reached; NaN is beyond them all."""
    x, b = c.x(), c.b
    edges = np.asarray(c.attr("boundaries"), np.float32)
    kind = x.type.dtype if x.type.dtype.is_float else dtypes.float32
    wide = b.unsqueeze(c.cast(x, kind), axes=(x.type.rank,))
    if not edges.size:
        return b.full(shape=x.type.shape, value=0, dtype=dtypes.int32)
    reached = b.not_(b.less(wide, b.constant(edges.astype(kind.numpy))))
    return b.reduce_sum(c.cast(reached, dtypes.int32), axes=(x.type.rank,))


@rule("HistogramFixedWidth")
def histogram_fixed_width(c: TensorflowContext) -> Value:
    """How many numbers fall into each of equal parts; those outside count for the first and the last. NaN is an error."""
    b, values, count = c.b, c.x(0), c.dims(2, "the number of bins")[0]
    low, high = (b.select(c.x(1), axis=0, index=i) for i in (0, 1))
    kind = c.attr("dtype")
    flat = b.reshape(values, shape=(numel(values.type.shape),))
    bins = c.cast(b.dim(size=count), dtypes.float64)
    step = b.div(c.cast(b.sub(high, low), dtypes.float64), bins)
    place = b.div(c.cast(b.sub(b.maximum(flat, low), low), dtypes.float64), step)
    at = c.cast(b.minimum(place, b.sub(bins, 1.0)), dtypes.int32)
    ones = b.full(shape=flat.type.shape, value=1, dtype=kind)
    return b.segment_reduce(ones, at, num_segments=count, reduction="add", bounds="error")
