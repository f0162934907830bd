"""ATen searches in sorted numbers, order statistics, running extremes."""

from __future__ import annotations

from typing import Any

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value
from ir.types import Dim, DType, dtypes


def _numel(x: Value) -> Dim:
    total: Dim = 1
    for d in x.type.shape:
        total = d * total
    return total


def _flat(c: TorchContext, x: Value) -> Value:
    return c.b.reshape(x, shape=(_numel(x),))


@rule("aten.bucketize.Tensor", "aten.bucketize.Scalar", "aten.searchsorted.Tensor", "aten.searchsorted.Scalar")
def search(c: TorchContext, a: Call) -> Value:
    """How many entries lie below each number (or at it, from the right); a NaN lies above all of them."""
    form = str(a.node.target).split(".")[1]
    entries, item = ("boundaries", "self") if form == "bucketize" else ("sorted_sequence", "self")
    dtype = a.promoted(entries, item)
    right = a.lit("right") or (a.has("side") and a.lit("side") == "right")
    sorter = a.optional("sorter") if a.has("sorter") else None
    a.lit("out_int32")
    rows, numbers = a.operand(entries, dtype), a.operand(item, dtype)
    if sorter is not None:
        rows = c.b.gather_elements(rows, sorter, axis=rows.type.rank - 1, neg="invalid")
    if rows.type.rank > 1:
        rows = c.b.unsqueeze(rows, axes=(rows.type.rank - 1,))
    numbers = c.b.unsqueeze(numbers, axes=(numbers.type.rank,))
    above = c.b.greater(rows, numbers) if right else c.b.greater_equal(rows, numbers)
    return c.b.reduce_sum(c.cast(c.b.not_(above), a.dtype), axes=(above.type.rank - 1,))


@rule("aten.median.default")
def median(c: TorchContext, a: Call) -> Value:
    """The lower of the two in the middle; NaN where there is one (it sorts to the end)."""
    x = _flat(c, a.value("self"))
    count = x.type.shape[0]
    ordered = c.b.sort(x, axis=0)[0]
    middle = c.b.select(ordered, axis=0, index=(count - 1) // 2)
    if not x.type.dtype.is_float:
        return middle
    last = c.b.select(ordered, axis=0, index=count - 1)
    return c.b.where(c.b.isnan(last), last, middle)


@rule("aten.nanmedian.default")
def nan_median(c: TorchContext, a: Call) -> Value:
    return c.b.reshape(_middle(c, _flat(c, a.value("self")), 0, ignore=True)[0], shape=())


@rule("aten.median.dim", "aten.nanmedian.dim")
def median_along(c: TorchContext, a: Call) -> list[Value]:
    """With positions; which of equal elements is named, torch leaves open."""
    x, keep = a.value("self"), a.lit("keepdim")
    axis = a.axis("dim", x.type.rank)
    if x.type.rank == 0:
        return [x, c.b.constant(0)]
    parts = _middle(c, x, axis, ignore="nanmedian" in str(a.node.target))
    return parts if keep else [c.b.squeeze(p, axes=(axis,)) for p in parts]


def _middle(c: TorchContext, x: Value, axis: int, ignore: bool) -> list[Value]:
    """The lower middle along `axis`, kept as an axis of 1. NaNs sort to the end: the first of them wins, or none."""
    count, parts = x.type.shape[axis], c.b.sort(x, axis=axis)
    nans = c.constant(0, dtypes.int64)
    if x.type.dtype.is_float:
        nans = c.cast(c.b.isnan(x), dtypes.int64)
        nans = c.b.reduce_sum(nans, axes=(axis,), keepdims=True)
    size = c.size_value(count, dtypes.int64)
    one, two, zero = (c.b.constant(n) for n in (1, 2, 0))
    numbers = c.b.sub(size, nans)
    if ignore:
        at = c.b.floor_div(c.b.maximum(c.b.sub(numbers, one), zero), two)
    else:
        at = c.b.where(c.b.greater(nans, zero), numbers, c.b.floor_div(c.b.sub(size, one), two))
    at = c.b.expand(at, shape=tuple(1 if i == axis else d for i, d in enumerate(x.type.shape)))
    return [c.b.gather_elements(p, at, axis=axis, neg="invalid") for p in parts]


@rule("aten.kthvalue.default")
def kth_value(c: TorchContext, a: Call) -> list[Value]:
    """The k-th smallest along an axis; which of equal elements is named, torch leaves open."""
    x, k, keep = a.value("self"), a.lit("k"), a.lit("keepdim")
    axis = a.axis("dim", x.type.rank)
    if x.type.rank == 0:
        return [x, c.b.constant(0)]
    parts = [c.b.select(p, axis=axis, index=k - 1) for p in c.b.sort(x, axis=axis)]
    return [c.b.unsqueeze(p, axes=(axis,)) for p in parts] if keep else parts


@rule("aten.cummax.default", "aten.cummin.default")
def running_extreme(c: TorchContext, a: Call) -> list[Value]:
    """The extreme of all elements so far and where it was last seen (NaN before all): every prefix is compared as a row."""
    x = a.value("self")
    largest = "cummax" in str(a.node.target)
    axis = a.axis("dim", x.type.rank)
    if x.type.rank == 0:
        return [x, c.b.constant(0)]
    ordered = c.cast(x, dtypes.uint8) if x.type.dtype.is_bool else x
    rows, place, within = _prefixes(c, ordered, axis, _least(ordered.type.dtype, largest))
    last = rows.type.rank - 1
    best = (c.b.reduce_max if largest else c.b.reduce_min)(rows, axes=(last,), keepdims=True)
    found = c.b.equal(rows, best)
    if rows.type.dtype.is_float:
        found = c.b.or_(found, c.b.isnan(rows))
    seen = c.b.where(c.b.and_(found, within), place, c.b.constant(-1))
    position = _back(c, c.b.reduce_max(seen, axes=(last,)), axis)
    return [c.b.gather_elements(x, position, axis=axis, neg="invalid"), position]


def _least(kind: DType, largest: bool) -> float | int:
    """What no element is beyond."""
    if kind.is_float:
        return float("-inf") if largest else float("inf")
    return kind.min if largest else kind.max


@rule("aten.logcumsumexp.default")
def log_cumsum_exp(c: TorchContext, a: Call) -> Value:
    """The logarithm of the running sum of exponentials: every prefix is a row."""
    x = a.value("self")
    axis = a.axis("dim", x.type.rank)
    if x.type.rank == 0:
        return x
    if not x.type.dtype.is_float:
        c.refuse("complex numbers")
    rows, _, _ = _prefixes(c, x, axis, float("-inf"))
    return _back(c, c.b.reduce_log_sum_exp(rows, axes=(rows.type.rank - 1,)), axis)


def _prefixes(c: TorchContext, x: Value, axis: int, rest: float) -> tuple[Value, Value, Value]:
    """`x` with `axis` moved to the end, then each prefix a row of its own, `rest` behind it; the positions in a row;
    and which of them belong to which prefix."""
    rank = x.type.rank
    order = (*(i for i in range(rank) if i != axis), axis)
    moved = x if axis == rank - 1 else c.b.transpose(x, perm=order)
    size = moved.type.shape[-1]
    shape: tuple[Any, ...] = (*moved.type.shape[:-1], size, size)
    wide = c.b.expand(c.b.unsqueeze(moved, axes=(rank - 1,)), shape=shape)
    place = c.b.arange(start=0, stop=size, step=1, dtype=dtypes.int64)
    within = c.b.less_equal(c.b.unsqueeze(place, axes=(0,)), c.b.unsqueeze(place, axes=(1,)))
    return c.b.where(within, wide, c.constant(rest, x.type.dtype)), place, within


def _back(c: TorchContext, x: Value, axis: int) -> Value:
    last = x.type.rank - 1
    if axis == last:
        return x
    return c.b.transpose(x, perm=(*range(axis), last, *range(axis, last)))


@rule("aten.histc.default")
def histc(c: TorchContext, a: Call) -> Value:
    x, bins, low, high = a.value("self"), a.lit("bins"), a.lit("min"), a.lit("max")
    if not low < high:
        c.refuse("histc over the range of the data", "give min and max")
    return c.b.histogram(x, bins=bins, low=float(low), high=float(high))
