"""Reductions of the slices that share a number."""

from __future__ import annotations

from converter.importers.partial.reshaping import bound_size
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import Dim, dtypes

_REDUCTIONS = {"Sum": "add", "Mean": "mean", "Max": "max", "Min": "min", "Prod": "mul"}
_NAN = "a segment with NaN in it gives NaN; {} in TensorFlow lets their order decide"
_BEYOND = "segment numbers beyond the last are an error in TensorFlow; in the converted model their slices are left out"


_IN_ORDER = tuple(f"Segment{form}V2" for form in ("Sum", "Max", "Min", "Prod"))
"""Of which XLA alone has a kernel, the same as of the unsorted ones."""


@rule("UnsortedSegmentSum", "UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd", *_IN_ORDER)
def unsorted(c: TensorflowContext) -> Value:
    """Negative numbers are left out. A segment without slices holds the lowest (highest) finite number."""
    form = c.op.removeprefix("Unsorted").removeprefix("Segment").removesuffix("V2")
    data, ids = c.x(0), c.x(1)
    kind = data.type.dtype
    if c.op not in _IN_ORDER:
        c.note(_BEYOND)
    found = c.b.segment_reduce(
        data, ids, num_segments=_one(c, 2), reduction=_REDUCTIONS[form], bounds="drop", empty="identity"
    )
    if form not in ("Max", "Min") or not kind.is_float:
        return found
    c.note(_NAN.format(c.op))
    limit = c.b.constant(kind.min if form == "Max" else kind.max, kind)
    return (c.b.maximum if form == "Max" else c.b.minimum)(found, limit)


def _one(c: TensorflowContext, index: int) -> Dim:
    sizes = c.dims(index, "the number of segments")
    if len(sizes) != 1:
        c.refuse(f"{len(sizes)} numbers of segments")
    return sizes[0]


@rule("SegmentSum", "SegmentMean", "SegmentMax", "SegmentMin", "SegmentProd")
def segments(c: TensorflowContext) -> Value:
    """As many as the last number says. A segment without slices holds 0 (1 for products)."""
    form = c.op.removeprefix("Segment")
    if c.type(0).dtype.is_float and form in ("Max", "Min"):
        c.note(_NAN.format(c.op))
    ids, count = _ascending(c, 1)
    return reduced(c, c.x(0), ids, count, form)


def reduced(c: TensorflowContext, data: Value, ids: Value, count: Dim, form: str) -> Value:
    """Sorted segments; means of integers are cut off towards zero."""
    kind, b = data.type.dtype, c.b
    empty = "identity" if form == "Prod" else "zero"
    if form == "Mean" and not kind.is_float:
        total = b.segment_reduce(data, ids, num_segments=count, reduction="add", bounds="error")
        members = _members(c, ids, count, total)
        if kind.is_integer:
            return b.trunc_div(total, b.maximum(members, 1))
        return b.div(total, b.where(b.equal(members, 0), 1.0, members))
    return b.segment_reduce(data, ids, num_segments=count, reduction=_REDUCTIONS[form], bounds="error", empty=empty)


def _members(c: TensorflowContext, ids: Value, count: Dim, like: Value) -> Value:
    """How many slices each segment has, shaped to divide `like`."""
    ones = c.b.expand(c.b.constant(1, dtypes.int64), shape=ids.type.shape)
    found = c.b.segment_reduce(ones, ids, num_segments=count, reduction="add", bounds="error")
    extra = tuple(range(1, like.type.rank))
    return c.cast(c.b.unsqueeze(found, axes=extra) if extra else found, like.type.dtype)


def _ascending(c: TensorflowContext, index: int) -> tuple[Value, Dim]:
    """Sorted numbers and one more than the last, 0 where there is none. Those that are not in ascending order become -1,
    which is an error in what follows, as they are in TensorFlow."""
    known, b = c.const(index), c.b
    if known is not None:
        if (known[1:] < known[:-1]).any():
            c.refuse("segment numbers that are not in ascending order")
        return c.x(index), int(known[-1]) + 1 if known.size else 0
    ids = c.cast(c.x(index), dtypes.int64)
    whole = b.concat([b.constant([-1], dtypes.int64), ids], axis=0)
    before = b.slice(whole, axes=(0,), starts=(0,), stops=(-1,), steps=(1,))
    rises = b.reduce_all(b.less_equal(before, ids), axes=(0,))
    ids = b.where(rises, ids, -1)
    return ids, bound_size(c, b.add(b.select(whole, axis=0, index=-1), 1))


_SPARSE = ("SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN")


@rule(*_SPARSE, *(f"{n}WithNumSegments" for n in _SPARSE))
def sparse(c: TensorflowContext) -> Value:
    """Of the rows at some positions; SqrtN divides by the root of their number."""
    c.ignore("sparse_gradient")
    form = c.op.removeprefix("SparseSegment")
    given = form.endswith("WithNumSegments")
    form = form.removesuffix("WithNumSegments")
    rows = c.b.gather(c.x(0), c.x(1), axis=0, bounds="error", neg="invalid")
    ids, count = _ascending(c, 2)
    count = _one(c, 3) if given else count
    if form != "SqrtN":
        return reduced(c, rows, ids, count, form)
    total = reduced(c, rows, ids, count, "Sum")
    members = _members(c, ids, count, total)
    return c.b.div(total, c.b.sqrt(c.b.maximum(members, 1)))
