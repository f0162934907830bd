"""Reads at computed positions, masks, distinct values. A position out of range is an error, a negative one, too."""

from __future__ import annotations

import numpy as np

from converter.importers.partial.reshaping import bound_size
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.rules_shape import axis_of
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import Dim, dtypes, numel


def read_rows(c: TensorflowContext, table: Value, indices: Value) -> Value:
    """Rows of a tensor; of a weight with two axes they are an embedding."""
    if table.is_weight and table.type.rank == 2 and table.type.dtype.is_float:
        return c.b.embedding(indices, table)
    return c.b.gather(table, indices, axis=0, bounds="error", neg="invalid")


@rule("Gather")
def gather(c: TensorflowContext) -> Value:
    c.ignore("validate_indices")
    return read_rows(c, c.x(0), c.x(1))


@rule("GatherV2")
def gather_v2(c: TensorflowContext) -> Value:
    """Negative batch dimensions count from the axes of the indices. A known position is a read."""
    axis, batch = axis_of(c, 2, c.rank()), c.attr("batch_dims")
    batch += c.rank(1) if batch < 0 else 0
    position = c.const(1) if c.rank(1) == 0 else None
    if position is not None and position >= 0:
        return c.b.select(c.x(0), axis=axis, index=int(position))
    if axis == 0 and c.const(1) is None:
        return read_rows(c, c.x(0), c.x(1))
    return c.b.gather(c.x(0), c.x(1), axis=axis, batch_dims=batch, bounds="error", neg="invalid")


@rule("ResourceGather")
def resource_gather(c: TensorflowContext) -> Value:
    """Rows of a variable."""
    c.ignore("dtype", "validate_indices")
    table, batch = c.value(c.read_variable(0)), c.attr("batch_dims")
    if batch:
        return c.b.gather(table, c.x(1), axis=batch, batch_dims=batch, bounds="error", neg="invalid")
    return read_rows(c, table, c.x(1))


@rule("ResourceGatherNd")
def resource_gather_nd(c: TensorflowContext) -> Value:
    c.ignore("dtype")
    return c.b.gather_nd(c.value(c.read_variable(0)), c.x(1), bounds="error", neg="invalid")


def bad_indices(c: TensorflowContext, ignored: str) -> str:
    """What becomes of positions out of range: an error, or `ignored` where the op says so."""
    return ignored if c.only("bad_indices_policy", "", "DEFAULT", "ERROR", "IGNORE") == "IGNORE" else "error"


@rule("GatherNd")
def gather_nd(c: TensorflowContext) -> Value:
    """Where bad positions are passed over, their rows are 0."""
    zero = False if c.type().dtype.is_bool else 0
    return c.b.gather_nd(c.x(0), c.x(1), bounds=bad_indices(c, "fill"), neg="invalid", fill_value=zero)


@rule("Where")
def where(c: TensorflowContext) -> Value:
    """The positions of what is not 0."""
    if c.rank() == 0:
        c.refuse("the positions of a number alone", "give it an axis")
    return c.b.nonzero(c.x(), symbol=c._fresh_symbol())


# -- distinct values ----------------------------------------------------------------------------------------------------
@rule("Unique", "UniqueV2", "UniqueWithCounts", "UniqueWithCountsV2")
def unique(c: TensorflowContext) -> list[Value]:
    """The first of equal elements stands for them, in the order of their places; each NaN is by itself."""
    x, b, kind = c.x(), c.b, c.attr("out_idx")
    if c.op.endswith("V2") and (c.ints(1, "the axis") not in ((), (0,)) or x.type.rank != 1):
        c.refuse("distinct slices of tensors with several axes", "take distinct numbers of a vector")
    if x.type.rank != 1:
        c.refuse(f"distinct elements of {x.type}, no vector")
    firsts, runs, at = _runs(c, x)
    _, order = b.sort(firsts, axis=0)  # runs by the places of their first elements
    found = _taken(c, x, _taken(c, firsts, order))
    count = found.type.shape[0]
    places = b.arange(start=0, stop=count, step=1, dtype=dtypes.int64)
    rank = b.scatter_elements(places, order, places, axis=0, bounds="error", neg="invalid", unique=True)
    group = _taken(c, rank, runs)  # of each element in ascending order
    group = b.scatter_elements(group, at, group, axis=0, bounds="error", neg="invalid", unique=True)
    results = [found, c.cast(group, kind)]
    if "Counts" in c.op:
        one = b.full(shape=x.type.shape, value=1, dtype=kind)
        results.append(b.segment_reduce(one, group, num_segments=count, reduction="add", bounds="error"))
    return results


def _runs(c: TensorflowContext, x: Value) -> tuple[Value, Value, Value]:
    """Of a vector in ascending order: where the first element of each run of equal ones stands in the vector, the run of
    each element, and where it stands."""
    b = c.b
    ordered, at = b.sort(c.cast(x, dtypes.uint8) if x.type.dtype.is_bool else x, axis=0, stable=True)
    place = b.arange(start=0, stop=x.type.shape[0], step=1, dtype=dtypes.int64)
    starts = b.or_(b.equal(place, 0), b.not_equal(ordered, b.roll(ordered, shifts=(1,), axes=(0,))))
    runs = b.sub(b.cumsum(c.cast(starts, dtypes.int64), axis=0), 1)
    return b.compress(at, starts, axis=0, symbol=c._fresh_symbol()), runs, at


def _taken(c: TensorflowContext, x: Value, at: Value) -> Value:
    return c.b.gather(x, at, axis=0, bounds="error", neg="invalid")


@rule("ListDiff")
def list_diff(c: TensorflowContext) -> list[Value]:
    """What of the first vector is not in the second, and where it stands."""
    x, y, b = c.x(0), c.x(1), c.b
    same = b.equal(b.unsqueeze(x, axes=(1,)), b.unsqueeze(y, axes=(0,)))
    kept = b.nonzero(b.not_(b.reduce_any(same, axes=(1,))), symbol=c._fresh_symbol())
    places = b.select(kept, axis=1, index=0)
    return [b.gather(x, places, axis=0, bounds="error", neg="invalid"), c.cast(places, c.attr("out_idx"))]


@rule("InvertPermutation")
def invert_permutation(c: TensorflowContext) -> Value:
    """Where each number stands. Numbers that are no permutation become -1, which is an error behind it, too."""
    x, b = c.x(), c.b
    known = c.const(0)
    places = c.cast(b.arange(start=0, stop=x.type.shape[0], step=1, dtype=dtypes.int64), x.type.dtype)
    if known is None:
        whole = b.reduce_all(b.equal(b.sort(x, axis=0)[0], places), axes=(0,))
        x = b.where(whole, x, -1)
    elif sorted(known.tolist()) != list(range(known.size)):
        c.refuse("positions that are no permutation")
    return b.scatter_elements(places, x, places, axis=0, bounds="error", neg="invalid", unique=True)


# -- merging and parting ------------------------------------------------------------------------------------------------
@rule("DynamicPartition")
def dynamic_partition(c: TensorflowContext) -> list[Value]:
    """The slices of each number; one that is no part is an error."""
    data, parts, b = c.x(0), c.x(1), c.b
    rank = parts.type.rank
    chosen = b.one_hot(
        parts,
        depth=c.attr("num_partitions"),
        axis=rank,
        on=True,
        off=False,
        dtype=dtypes.bool_,
        neg="invalid",
        bounds="error",
    )
    masks = [b.select(chosen, axis=rank, index=k) for k in range(c.attr("num_partitions"))]
    return [b.mask_select(data, mask, symbol=c._fresh_symbol()) for mask in masks]


_GAPS = (
    "dynamic_stitch: a place that no index names is 0 in the converted model; TensorFlow leaves open what stands there, and "
    "the last of several writes remains"
)


@rule("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(c: TensorflowContext) -> Value:
    """Slices put to their places, the last write remains. As many places as the largest index says."""
    half = len(c.inputs) // 2
    indices, data = [c.x(i) for i in range(half)], [c.x(half + i) for i in range(half)]
    rest = data[0].type.shape[indices[0].type.rank :]
    flat = [c.b.reshape(v, shape=(numel(v.type.shape),)) for v in indices]
    rows = [
        c.b.reshape(v, shape=(numel(i.type.shape), *v.type.shape[i.type.rank :]))
        for v, i in zip(data, indices, strict=True)
    ]
    at = c.b.concat(flat, axis=0) if half > 1 else flat[0]
    written = c.b.concat(rows, axis=0) if half > 1 else rows[0]
    known = [c.const(i) for i in range(half)]
    count: Dim
    if all(k is not None for k in known):
        places = np.concatenate([np.asarray(k).reshape(-1) for k in known])
        size = int(places.max(initial=-1)) + 1
        if set(places.tolist()) != set(range(size)):
            c.refuse("places that no index names, or negative ones, which are left open")
        count = size
    else:
        c.note(_GAPS)
        count = _one_more(c, at)
    kind = written.type.dtype
    start = c.b.expand(c.b.constant(np.zeros((), kind.numpy)), shape=(count, *rest))
    where = c.b.unsqueeze(at, axes=(1,))
    return c.b.scatter_nd(start, where, written, reduction="none", bounds="error", neg="invalid")


def _one_more(c: TensorflowContext, at: Value) -> Dim:
    """The size one above the largest of a vector of positions, 0 of none."""
    whole = c.b.concat([c.cast(at, dtypes.int64), c.b.constant(np.array([-1]))], axis=0)
    return bound_size(c, c.b.add(c.b.reduce_max(whole, axes=(0,)), 1))


@rule("UnravelIndex")
def unravel_index(c: TensorflowContext) -> Value:
    """Positions along each axis [axes, n] of positions in row-major order; the sign of a negative one stays."""
    sizes, x = c.dims(1, "the sizes"), c.x()
    if not sizes or any(d == 0 for d in sizes) or x.type.rank > 1:
        c.refuse(f"positions {x.type} in sizes {list(sizes)}, which TensorFlow refuses, too")
    c.note("a position beyond the end, and no position at all, are errors in TensorFlow; the converted model goes on")
    rows = []
    for axis, size in enumerate(sizes):
        rest = numel(sizes[axis + 1 :])
        step, whole = (_number(c, d) for d in (rest, size))
        rows.append(c.b.fmod(x if rest == 1 else c.b.trunc_div(x, step), whole))
    return c.b.stack(rows, axis=0)


def _number(c: TensorflowContext, size: Dim) -> Value:
    """A size, which is not 0, in the type of the first operand."""
    kind = c.type().dtype
    return c.b.constant(size, kind) if isinstance(size, int) else c.cast(c.b.dim(size=size), kind)
