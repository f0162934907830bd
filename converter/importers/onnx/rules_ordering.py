"""Distinct elements."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from ir.core import Value
from ir.types import dtypes, numel


@rule("Unique", 11, 28)
def unique(c: OnnxContext) -> tuple[Value, ...]:
    """Distinct elements, where each stands first, which one each element is, and how often it is there.

    Sorted, neighbours that differ start a new one; unsorted, they are put in the order of where they stand first.
    """
    axis, b = c.attr("axis"), c.b
    if axis is not None and c.rank() != 1:
        c.refuse(f"distinct slices along axis={axis} of {c.type()} are not supported")
    x = c.x() if c.rank() == 1 else b.reshape(c.x(), shape=(numel(c.type().shape),))
    count = x.type.shape[0]
    ordered, order = b.sort(x, axis=0)
    steps = b.arange(start=0, stop=count, step=1, dtype="int64")
    starts = b.or_(
        b.equal(steps, b.constant(0, dtypes.int64)), b.not_equal(ordered, b.roll(ordered, shifts=(1,), axes=(0,)))
    )
    places = b.squeeze(b.nonzero(starts, symbol=c.importer.fresh_symbol("count")), axes=(1,))
    values, first = _at(c, ordered, places), _at(c, order, places)
    which = b.sub(b.cumsum(b.cast(starts, to="int64"), axis=0), b.constant(1, dtypes.int64))
    _, back = b.sort(order, axis=0)
    which = _at(c, which, back)
    if not c.attr("sorted"):
        first, by_place = b.sort(first, axis=0)
        values = _at(c, values, by_place)
        _, rank = b.sort(by_place, axis=0)
        which = _at(c, rank, which)
    zeros = b.full(shape=first.type.shape, value=0, dtype="int64")
    ones = b.full(shape=(count,), value=1, dtype="int64")
    counts = b.scatter_elements(zeros, which, ones, axis=0, reduction="add")
    return values, first, which, counts


def _at(c: OnnxContext, data: Value, places: Value) -> Value:
    return c.b.gather(data, places, axis=0, bounds="error", neg="invalid")
