"""Distinct elements."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from ir.core import Value
from ir.types import dtypes, normalize_axis, numel

MAX_WIDTH = 64
"""Elements of a slice up to which slices are sorted, one sort for each."""


@rule("Unique", 11, 28)
def unique(c: OnnxContext) -> tuple[Value, ...]:
    """Distinct elements or slices, where each stands first, which one each element is, and how often it is there.

    Sorted, neighbours that differ start a new one; unsorted, they are put in the order of where they stand first.
    """
    if c.type().dtype.is_float:
        c.note("Unique: each NaN is an element of its own, where ONNX Runtime merges it with what stands beside it")
    b, rows = c.b, _rows(c)
    count, width = rows.type.shape
    order = b.arange(start=0, stop=count, step=1, dtype="int64")
    for column in reversed(range(width)):  # a stable sort by each column, the first one last
        _, moved = b.sort(_at(c, b.select(rows, axis=1, index=column), order), axis=0)
        order = _at(c, order, moved)
    ordered = _at(c, rows, order)
    differs = b.reduce_any(b.not_equal(ordered, b.roll(ordered, shifts=(1,), axes=(0,))), axes=(1,))
    steps = b.arange(start=0, stop=count, step=1, dtype="int64")
    starts = b.or_(b.equal(steps, b.constant(0, dtypes.int64)), differs)
    places = b.squeeze(b.nonzero(starts, symbol=c.importer.fresh_symbol("count")), axes=(1,))
    first = _at(c, order, places)
    which = b.sub(b.cumsum(b.cast(starts, to="int64"), axis=0), b.constant(1, dtypes.int64))
    _, back = b.sort(order, axis=0)
    which = _at(c, which, back)
    if not c.attr("sorted"):
        first, by_place = b.sort(first, axis=0)
        _, rank = b.sort(by_place, axis=0)
        which = _at(c, rank, which)
    zeros = b.full(shape=first.type.shape, value=0, dtype="int64")
    ones = b.full(shape=(count,), value=1, dtype="int64")
    counts = b.scatter_elements(zeros, which, ones, axis=0, reduction="add")
    return _slices(c, first), first, which, counts


def _rows(c: OnnxContext) -> Value:
    """What is compared as [count, width]: elements, or slices along `axis`."""
    x, axis = c.x(), c.attr("axis")
    if axis is None:
        return c.b.reshape(x, shape=(numel(x.type.shape), 1))
    axis = normalize_axis(axis, x.type.rank)
    others = [a for a in range(x.type.rank) if a != axis]
    width = numel([x.type.shape[a] for a in others])
    if not isinstance(width, int) or not 0 < width <= MAX_WIDTH:
        c.refuse(f"slices of {width} elements of {x.type} are not compared")
    moved = c.b.transpose(x, perm=(axis, *others)) if axis else x
    return c.b.reshape(moved, shape=(x.type.shape[axis], width))


def _slices(c: OnnxContext, places: Value) -> Value:
    """The elements or slices at these places."""
    x, axis = c.x(), c.attr("axis")
    if axis is None:
        return _at(c, c.b.reshape(x, shape=(numel(x.type.shape),)), places)
    return c.b.gather(x, places, axis=axis, bounds="error", neg="invalid")


def _at(c: OnnxContext, data: Value, places: Value) -> Value:
    return c.b.gather(data, places, axis=0, bounds="error", neg="invalid")
