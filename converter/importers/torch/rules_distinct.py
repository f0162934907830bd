"""ATen ops that count equal values: unique, mode. Results nobody asked for are None."""

from __future__ import annotations

from converter.importers.torch.context import Call, TorchContext, rule
from converter.importers.torch.rules_indexing import count_name
from ir.core import Value
from ir.types import Dim, dtypes, symbol


def positions(c: TorchContext, size: Dim) -> Value:
    """0, 1, ... of as many elements as a size says, known or not."""
    ones = c.b.expand(c.constant(1, dtypes.int64), shape=(size,))
    return c.b.sub(c.b.cumsum(ones, axis=0), 1)


def _runs(c: TorchContext, a: Call, x: Value) -> tuple[Value, Value, Value]:
    """Of a 1-D tensor: the first of each run of equal neighbours, each element's run, and the runs' lengths.

    NaN equals nothing. One node counts the runs, so that all results have that one size.
    """
    place = positions(c, x.type.shape[0])
    differs = c.b.not_equal(x, c.b.roll(x, shifts=(1,), axes=(0,)))
    starts_here = c.b.or_(c.b.equal(place, 0), differs)
    starts = c.b.select(c.b.nonzero(starts_here, symbol=count_name(a)), axis=1, index=0)
    values = c.b.gather(x, starts, axis=0, bounds="error", neg="invalid")
    group = c.b.sub(c.b.cumsum(c.cast(starts_here, dtypes.int64), axis=0), 1)
    count = starts.type.shape[0]
    last = c.b.equal(positions(c, count), c.b.sub(c.size_value(count, dtypes.int64), 1))
    stops = c.b.where(last, c.size_value(x.type.shape[0], dtypes.int64), c.b.roll(starts, shifts=(-1,), axes=(0,)))
    return values, group, c.b.sub(stops, starts)


def _counted(c: TorchContext, x: Value) -> Value:
    """Flat, and of a type whose elements compare and sort."""
    total: Dim = 1
    for d in x.type.shape:
        total = d * total
    flat = c.b.reshape(x, shape=(total,))
    return c.cast(flat, dtypes.uint8) if x.type.dtype.is_bool else flat


@rule("aten.unique_consecutive.default")
def unique_consecutive(c: TorchContext, a: Call) -> list[Value | None]:
    x = a.value("self")
    if a.raw("dim") is not None and x.type.rank != 1:
        c.refuse("distinct slices along an axis", "leave out dim, or number the slices and compare the numbers")
    values, group, counts = _runs(c, a, _counted(c, x))
    inverse = c.b.reshape(group, shape=x.type.shape) if a.lit("return_inverse") else None
    return [c.cast(values, x.type.dtype), inverse, counts if a.lit("return_counts") else None]


@rule("aten._unique2.default", "aten._unique.default")
def unique(c: TorchContext, a: Call) -> list[Value | None]:
    """Sorted also where nobody asks for it: torch's own order is then left open."""
    x = a.value("self")
    a.lit("sorted")
    ordered, order = c.b.sort(_counted(c, x), axis=0)
    values, group, counts = _runs(c, a, ordered)
    inverse = None
    if a.lit("return_inverse"):
        inverse = c.b.scatter_elements(group, order, group, axis=0, bounds="error", neg="invalid", unique=True)
        inverse = c.b.reshape(inverse, shape=x.type.shape)
    out: list[Value | None] = [c.cast(values, x.type.dtype), inverse]
    return [*out, counts if a.lit("return_counts") else None] if a.has("return_counts") else out


@rule("aten.repeat_interleave.Tensor")
def repeat_interleave(c: TorchContext, a: Call) -> Value:
    """The position of each count, as often as the count says: their sum is the size of the result."""
    counts = c.cast(a.value("repeats"), dtypes.int64)
    a.raw("output_size")
    total = c.b.bind_dim(c.b.reduce_sum(counts, axes=(0,)), symbol=count_name(a))
    place = positions(c, symbol(count_name(a), opaque=True))
    ends = c.b.cumsum(counts, axis=0)
    behind = c.b.less_equal(c.b.unsqueeze(ends, axes=(0,)), c.b.unsqueeze(place, axes=(1,)))
    assert total.type.rank == 0
    return c.b.reduce_sum(c.cast(behind, dtypes.int64), axes=(1,))


@rule("aten.mode.default")
def mode(c: TorchContext, a: Call) -> list[Value | None]:
    """The smallest of the most frequent values along an axis, and the last place where it stands."""
    x, b = a.value("self"), c.b
    if not x.type.rank:
        return [x, c.constant(0, dtypes.int64)]
    axis = a.axis("dim", x.type.rank)
    last = x.type.rank - 1
    perm = (*(k for k in range(x.type.rank) if k != axis), axis)
    rows = b.transpose(c.cast(x, dtypes.uint8) if x.type.dtype.is_bool else x, perm=perm)
    ordered = b.sort(rows, axis=last)[0]
    same = b.equal(b.unsqueeze(ordered, axes=(last,)), b.unsqueeze(ordered, axes=(last + 1,)))
    often = b.reduce_sum(c.cast(same, dtypes.int64), axes=(last + 1,))
    first = b.argmax(often, axis=last, keepdims=True)
    value = b.gather_elements(ordered, first, axis=last, bounds="error", neg="invalid")
    found = b.equal(rows, value)
    size = c.size_value(rows.type.shape[last], dtypes.int64)
    back = b.argmax(c.cast(b.flip(found, axes=(last,)), dtypes.int64), axis=last, keepdims=True)
    place = b.sub(b.sub(size, 1), back)
    c.note(
        "mode: which position of equal values it gives, and what among NaN, torch leaves open; here the last, and no NaN"
    )
    out = [c.cast(value, x.type.dtype), place]
    if not a.lit("keepdim"):
        return [b.squeeze(v, axes=(last,)) for v in out]
    back_perm = (*range(axis), last, *range(axis, last))
    return [b.transpose(v, perm=back_perm) for v in out]
