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
    """Of a tensor of elements or rows: where each run of equal neighbours starts, each one's run, and the runs' lengths.

    NaN equals nothing. One node counts the runs, so that all results have that one size.
    """
    place = positions(c, x.type.shape[0])
    differs = c.b.not_equal(x, c.b.roll(x, shifts=(1,), axes=(0,)))
    differs = c.b.reduce_any(differs, axes=(1,)) if x.type.rank == 2 else differs
    starts_here = c.b.or_(c.b.equal(place, 0), differs)
    starts = c.b.select(c.b.nonzero(starts_here, symbol=count_name(a)), axis=1, index=0)
    group = c.b.sub(c.b.cumsum(c.cast(starts_here, dtypes.int64), axis=0), 1)
    count = starts.type.shape[0]
    last = c.b.equal(positions(c, count), c.b.sub(c.size_value(count, dtypes.int64), 1))
    stops = c.b.where(last, c.size_value(x.type.shape[0], dtypes.int64), c.b.roll(starts, shifts=(-1,), axes=(0,)))
    return starts, group, c.b.sub(stops, starts)


def _counted(c: TorchContext, x: Value) -> Value:
    """Flat, and of a type whose elements compare and sort."""
    total: Dim = 1
    for d in x.type.shape:
        total = d * total
    flat = c.b.reshape(x, shape=(total,))
    return c.cast(flat, dtypes.uint8) if x.type.dtype.is_bool else flat


def _rows(c: TorchContext, x: Value, axis: int) -> Value:
    """The slices along an axis as rows of elements that compare."""
    perm = (axis, *(k for k in range(x.type.rank) if k != axis))
    size: Dim = 1
    for k in perm[1:]:
        size = x.type.shape[k] * size
    if size == 0:
        c.refuse("distinct slices without elements")
    rows = c.b.reshape(c.b.transpose(x, perm=perm), shape=(x.type.shape[axis], size))
    return c.cast(rows, dtypes.uint8) if x.type.dtype.is_bool else rows


@rule("aten.unique_consecutive.default")
def unique_consecutive(c: TorchContext, a: Call) -> list[Value | None]:
    x = a.value("self")
    whole = a.raw("dim") is None or x.type.rank == 1
    axis = 0 if whole else a.axis("dim", x.type.rank)
    source = c.b.reshape(x, shape=_counted(c, x).type.shape) if whole else x
    starts, group, counts = _runs(c, a, _counted(c, x) if whole else _rows(c, x, axis))
    inverse = None
    if a.lit("return_inverse"):
        inverse = c.b.reshape(group, shape=x.type.shape) if whole else group
    values = c.b.gather(source, starts, axis=axis, bounds="error", neg="invalid")
    return [values, inverse, counts if a.lit("return_counts") else None]


@rule("aten.unique_dim.default")
def unique_dim(c: TorchContext, a: Call) -> list[Value | None]:
    """Rows in lexicographic order, each compared with each other one: the first of equal rows stands for them, and its
    place is the number of such rows that are less."""
    x, b = a.value("self"), c.b
    axis = a.axis("dim", x.type.rank)
    a.lit("sorted")
    if x.type.dtype.is_complex:
        c.refuse("distinct slices of complex numbers")
    if x.type.dtype.is_float:
        c.note("unique: where slices with NaN stand, torch leaves open")
    rows = _rows(c, x, axis)
    count, size = rows.type.shape
    own, other = (b.expand(b.unsqueeze(rows, axes=(k,)), shape=(count, count, size)) for k in (1, 0))
    differs = b.not_equal(own, other)
    equal = b.not_(b.reduce_any(differs, axes=(2,)))
    where = b.argmax(c.cast(differs, dtypes.int64), axis=2, keepdims=True)
    mine, theirs = (b.gather_elements(v, where, axis=2, bounds="error", neg="invalid") for v in (own, other))
    place = positions(c, count)
    before = b.less(b.unsqueeze(place, axes=(0,)), b.unsqueeze(place, axes=(1,)))
    first = b.not_(b.reduce_any(b.and_(equal, before), axes=(1,)))
    less = b.and_(b.squeeze(b.less(theirs, mine), axes=(2,)), b.unsqueeze(first, axes=(0,)))
    rank = b.reduce_sum(c.cast(less, dtypes.int64), axes=(1,))
    firsts = b.select(b.nonzero(first, symbol=count_name(a)), axis=1, index=0)
    take = {"axis": 0, "bounds": "error", "neg": "invalid"}
    chosen = b.gather(firsts, b.sort(b.gather(rank, firsts, **take), axis=0)[1], **take)
    values = b.gather(x, chosen, axis=axis, bounds="error", neg="invalid")
    counts = b.gather(b.reduce_sum(c.cast(equal, dtypes.int64), axes=(1,)), chosen, **take)
    return [values, rank if a.lit("return_inverse") else None, counts if a.lit("return_counts") else None]


@rule("aten._unique2.default", "aten._unique.default")
def unique(c: TorchContext, a: Call) -> list[Value | None]:
    """Sorted also where nobody asks for it: torch's own order is then left open."""
    x = a.value("self")
    a.lit("sorted")
    ordered, order = c.b.sort(_counted(c, x), axis=0)
    starts, group, counts = _runs(c, a, ordered)
    values = c.b.gather(ordered, starts, axis=0, bounds="error", neg="invalid")
    inverse = None
    if a.lit("return_inverse"):
        inverse = c.b.scatter_elements(group, order, group, axis=0, bounds="error", neg="invalid", unique=True)
        inverse = c.b.reshape(inverse, shape=x.type.shape)
    out: list[Value | None] = [c.cast(values, x.type.dtype), inverse]
    return [*out, counts if a.lit("return_counts") else None] if a.has("return_counts") else out


@rule("aten.bincount.default")
def bincount(c: TorchContext, a: Call) -> Value:
    """How often each number occurs, or the weights of its places added up; as many as the largest asks for, or more."""
    x, b, weights = c.cast(a.value("self"), dtypes.int64), c.b, a.optional("weights")
    least = c.constant(a.lit("minlength") - 1, dtypes.int64)
    size = b.add(b.reduce_max(b.concat([x, b.reshape(least, shape=(1,))], axis=0), axes=(0,)), 1)
    b.bind_dim(size, symbol=count_name(a))
    start = b.expand(c.constant(0, a.dtype), shape=(symbol(count_name(a), opaque=True),))
    added = b.expand(c.constant(1, a.dtype), shape=x.type.shape) if weights is None else c.cast(weights, a.dtype)
    return b.scatter_elements(start, x, added, axis=0, reduction="add", bounds="error", neg="invalid")


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
