"""ATen writes at computed positions (bounds and negatives as measured per API)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from converter.importers.torch.context import Call, TorchContext, is_static, rule
from converter.importers.torch.rules_indexing import _numel, listed, subscript
from ir.core import Value
from ir.types import dtypes

_REDUCTIONS = {
    "add": "add",
    "multiply": "mul",
    "sum": "add",
    "prod": "mul",
    "amax": "max",
    "amin": "min",
    "mean": "mean",
}


@rule("aten.scatter.src", "aten.scatter.reduce", "aten.scatter_add.default", "aten.scatter_reduce.two")
def scatter(c: TorchContext, a: Call) -> Value:
    """Negative indices are errors; what `src` holds beyond the index is ignored."""
    x, index, src = (listed(c, a.value(n)) for n in ("self", "index", "src"))
    if src.type.shape != index.type.shape:
        src = _crop(c, src, index)
    extra: dict[str, Any] = {"reduction": "add"} if "scatter_add" in str(a.node.target) else {}
    if a.has("reduce"):
        extra["reduction"] = _REDUCTIONS[a.lit("reduce")]
    if a.has("include_self"):
        extra["include_self"] = a.lit("include_self")
    axis = a.axis("dim", x.type.rank)
    out = c.b.scatter_elements(x, index, c.cast(src, x.type.dtype), axis=axis, neg="invalid", **extra)
    return out if a.shape else c.b.reshape(out, shape=())


def _crop(c: TorchContext, src: Value, index: Value) -> Value:
    axes = tuple(i for i in range(src.type.rank) if src.type.shape[i] != index.type.shape[i])
    stops = tuple(index.type.shape[i] for i in axes)
    return c.b.slice(src, axes=axes, starts=(None,) * len(axes), stops=stops, steps=(1,) * len(axes))


@rule("aten.scatter.value", "aten.scatter.value_reduce")
def scatter_value(c: TorchContext, a: Call) -> Value:
    x, index = (listed(c, a.value(n)) for n in ("self", "index"))
    updates = c.b.expand(a.operand("value", x.type.dtype), shape=index.type.shape)
    extra = {"reduction": _REDUCTIONS[a.lit("reduce")]} if a.has("reduce") else {}
    axis = a.axis("dim", x.type.rank)
    out = c.b.scatter_elements(x, index, updates, axis=axis, neg="invalid", **extra)
    return out if a.shape else c.b.reshape(out, shape=())


@rule("aten.index_put.default", "aten._unsafe_index_put.default")
def index_put(c: TorchContext, a: Call) -> Value:
    """x[indices] = values: a copy with the selection replaced, or added to; values broadcast to the selection."""
    x, values, accumulate = a.value("self"), a.value("values"), a.lit("accumulate")
    masked = _as_where(c, a, x, values, accumulate)
    if masked is not None:
        return masked
    form = "add" if accumulate else "none"
    return c.b.index_put(x, updates=values, reduction=form, **subscript(c, a))


def _as_where(c: TorchContext, a: Call, x: Value, values: Value, accumulate: bool) -> Value | None:
    """x[mask] = scalar, the mask over the leading axes: a choice between the two."""
    items = a.raw("indices")
    if len(items) != 1 or items[0] is None or accumulate:
        return None
    mask = c.value(items[0])
    if not mask.type.dtype.is_bool or mask.type.rank == 0 or any(d != 1 for d in values.type.shape):
        return None
    if values.type.rank:
        values = c.b.reshape(values, shape=())
    if mask.type.rank < x.type.rank:
        mask = c.b.unsqueeze(mask, axes=tuple(range(mask.type.rank, x.type.rank)))
    return c.b.where(mask, values, x)


@rule("aten.index_add.default", "aten.index_copy.default", "aten.index_fill.int_Scalar", "aten.index_fill.int_Tensor")
def index_write(c: TorchContext, a: Call) -> Value:
    """Whole slices along one axis; negative indices are errors, except for index_fill."""
    form = str(a.node.target).split(".")[1]
    x, index = a.value("self"), a.value("index")
    flat = x.type.rank == 0
    if flat:  # one slice of one element
        x = c.b.reshape(x, shape=(1,))
    axis = a.axis("dim", x.type.rank)
    if index.type.rank == 0:
        index = c.b.unsqueeze(index, axes=(0,))
    order = (axis, *(i for i in range(x.type.rank) if i != axis))
    moved = c.b.transpose(x, perm=order) if axis else x
    updates = _slices(c, a, form, moved, index, order, axis)
    out = c.b.scatter_nd(
        moved, c.b.unsqueeze(index, axes=(1,)), updates, neg="from_end" if form == "index_fill" else "invalid",
        reduction="add" if form == "index_add" else "none",
    )  # fmt: skip
    if flat:
        return c.b.reshape(out, shape=())
    return c.b.transpose(out, perm=tuple(order.index(i) for i in range(x.type.rank))) if axis else out


def _slices(
    c: TorchContext, a: Call, form: str, moved: Value, index: Value, order: tuple[int, ...], axis: int
) -> Value:
    if form == "index_fill":
        shape = (index.type.shape[0], *moved.type.shape[1:])
        return c.b.expand(a.operand("value", moved.type.dtype), shape=shape)
    source = a.value("source")
    if source.type.rank != moved.type.rank:
        if source.type.rank or moved.type.rank != 1:
            c.refuse("a source with another number of axes")
        source = c.b.reshape(source, shape=(1,))
    source = c.b.transpose(source, perm=order) if axis else source
    if form == "index_add" and a.lit("alpha") != 1:
        source = c.b.mul(source, c.constant(a.lit("alpha"), source.type.dtype))
    return source


@rule("aten.index_reduce.default")
def index_reduce(c: TorchContext, a: Call) -> Value:
    """Whole slices along one axis, combined with what is there."""
    x, index, source = a.value("self"), a.value("index"), a.value("source")
    axis = a.axis("dim", x.type.rank)
    shape = x.type.shape
    if not shape:
        x, source = (c.b.reshape(v, shape=(1,)) for v in (x, source))
    if source.type.rank != x.type.rank:
        c.refuse("a source with another number of axes")
    if index.type.rank > 1:
        c.refuse("an index of more than one axis")
    index = index if index.type.rank else c.b.unsqueeze(index, axes=(0,))
    index = c.b.unsqueeze(index, axes=tuple(i for i in range(x.type.rank) if i != axis))
    index = c.b.expand(c.cast(index, dtypes.int64), shape=source.type.shape)
    out = c.b.scatter_elements(
        x, index, source, axis=axis, neg="invalid", reduction=_REDUCTIONS[a.lit("reduce")],
        include_self=a.lit("include_self"),
    )  # fmt: skip
    return out if shape else c.b.reshape(out, shape=())


@rule("aten.masked_scatter.default")
def masked_scatter(c: TorchContext, a: Call) -> Value:
    """The n-th True element of the mask takes the n-th element of the source; too short a source is an error."""
    x, source = a.value("self"), a.value("source")
    mask = c.cast(a.value("mask"), dtypes.bool_)
    if mask.type.shape != x.type.shape:
        mask = c.b.expand(mask, shape=x.type.shape)
    flat = c.b.reshape(mask, shape=(_numel(x.type.shape),))
    place = c.b.sub(c.b.cumsum(c.cast(flat, dtypes.int64), axis=0), c.b.constant(1))
    place = c.b.where(flat, place, c.b.constant(0))
    values = c.b.gather(
        c.b.reshape(source, shape=(_numel(source.type.shape),)), place, neg="invalid"
    )
    return c.b.where(mask, c.b.reshape(values, shape=x.type.shape), x)


# -- writes through views -------------------------------------------------------------------------------------------
@rule("aten.diagonal_scatter.default")
def diagonal_scatter(c: TorchContext, a: Call) -> Value:
    x, src = a.value("self"), a.value("src")
    if not is_static(x.type.shape):
        return _put_diagonal(c, x, src, a.lit("offset"), a.axis("dim1", x.type.rank), a.axis("dim2", x.type.rank))
    places = np.arange(math.prod(int(d) for d in x.type.shape)).reshape([int(d) for d in x.type.shape])
    return _put(c, x, np.diagonal(places, a.lit("offset"), a.lit("dim1"), a.lit("dim2")), src)


def _put_diagonal(c: TorchContext, x: Value, src: Value, offset: int, row_axis: int, column_axis: int) -> Value:
    """`src` (the diagonal as its last axis) in the place of a diagonal of symbolic length."""
    rest = [i for i in range(x.type.rank) if i not in (row_axis, column_axis)]
    order = (row_axis, column_axis, *rest)
    place = c.b.arange(start=0, stop=src.type.shape[-1], step=1, dtype=dtypes.int64)
    sides = [c.b.add(place, c.b.constant(max(shift, 0))) for shift in (-offset, offset)]
    positions = c.b.concat([c.b.unsqueeze(side, axes=(1,)) for side in sides], axis=1)
    updates = c.b.transpose(src, perm=(src.type.rank - 1, *range(src.type.rank - 1)))
    moved = c.b.transpose(x, perm=order)
    out = c.b.scatter_nd(moved, positions, updates, neg="invalid", unique=True)
    return c.b.transpose(out, perm=tuple(order.index(i) for i in range(x.type.rank)))


@rule("aten.as_strided.default", "aten.as_strided_copy.default")
def as_strided(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    places = c.b.constant(_strided_places(c, a, x))
    flat = c.b.reshape(x, shape=(_numel(x.type.shape),))
    return c.b.gather(flat, places, neg="invalid")


@rule("aten.as_strided_scatter.default")
def as_strided_scatter(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    places = _strided_places(c, a, x)
    if len(np.unique(places)) != places.size:
        c.refuse("a view that holds an element twice")
    return _put(c, x, places, a.value("src"))


def _strided_places(c: TorchContext, a: Call, x: Value) -> np.ndarray:
    """Where the elements of a strided view lie in a tensor that is stored in order, as the example is."""
    meta, sizes, strides, offset = a.meta_of("self"), a.ints("size"), a.ints("stride"), a.lit("storage_offset")
    if not is_static(x.type.shape) or not meta.is_contiguous() or meta.storage_offset() not in (0,):
        c.refuse("a strided view of a tensor that is itself a view, or of symbolic size", "call contiguous() first")
    places = np.full(sizes, offset or 0, np.int64)
    for i, (size, stride) in enumerate(zip(sizes, strides, strict=True)):
        places += (np.arange(size) * stride).reshape(size, *(1,) * (len(sizes) - 1 - i))
    if places.size and not 0 <= places.min() <= places.max() < meta.numel():
        c.refuse("a strided view beyond the tensor")
    return places


def _put(c: TorchContext, x: Value, places: np.ndarray, src: Value) -> Value:
    """A copy of x with elements replaced, at positions in row order, each at most once."""
    flat = c.b.reshape(x, shape=(_numel(x.type.shape),))
    values = c.b.reshape(src, shape=(places.size,))
    where = c.b.constant(np.ascontiguousarray(places.reshape(places.size, 1), np.int64))
    out = c.b.scatter_nd(flat, where, values, neg="invalid")
    return c.b.reshape(out, shape=x.type.shape)


@rule("aten.put.default")
def put(c: TorchContext, a: Call) -> Value:
    """Elements at positions in row order; negative ones count from the end."""
    x, index, source = a.value("self"), a.value("index"), a.value("source")
    count = _numel(index.type.shape)
    flat, values = c.b.reshape(x, shape=(_numel(x.type.shape),)), c.b.reshape(source, shape=(count,))
    out = c.b.scatter_nd(
        flat, c.b.reshape(index, shape=(count, 1)), values,
        reduction="add" if a.lit("accumulate") else "none",
    )  # fmt: skip
    return c.b.reshape(out, shape=x.type.shape)
