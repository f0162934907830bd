"""Reads at computed positions. ONNX counts negative indices from the end and refuses what is out of range."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.exporters.index_facts import never_negative
from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Node, Value
from ir.types import Dim, dtypes, normalize_axis

NEGATIVES = (
    "negative indices, which are errors in the source, count from the end in the ONNX model "
    "(--index-policy strict makes them errors)"
)


def note_negatives(c: Context, indices: Value) -> None:
    """Tell that negative indices are no error in ONNX, unless there are none."""
    if not never_negative(indices):
        c.note(NEGATIVES)


def index(c: Context, tensor: Tensor) -> Tensor:
    """Indices as int64, unless they are int32 already."""
    return tensor if tensor.dtype == dtypes.int32 else c.cast(tensor, dtypes.int64)


def _check_neg(c: Context, node: Node) -> None:
    if node.attrs["neg"] == "invalid" and node.attrs["bounds"] == "error":
        note_negatives(c, node.operand("indices"))


@rule("gather")
def gather(c: Context, node: Node) -> Tensor:
    _check_neg(c, node)
    axis = normalize_axis(node.attrs["axis"], node.operand("data").type.rank)
    return c.op("Gather", c.x(node, "data"), index(c, c.x(node, "indices")), axis=axis)


@rule("gather_elements")
def gather_elements(c: Context, node: Node) -> Tensor:
    _check_neg(c, node)
    return c.op("GatherElements", c.x(node, "data"), index(c, c.x(node, "indices")), axis=node.attrs["axis"])


@rule("gather_nd")
def gather_nd(c: Context, node: Node) -> Tensor:
    _check_neg(c, node)
    indices = c.cast(c.x(node, "indices"), dtypes.int64)
    return c.op("GatherND", c.x(node, "data"), indices, batch_dims=node.attrs["batch_dims"])


@rule("nonzero")
def nonzero(c: Context, node: Node) -> Tensor:
    return c.op("Transpose", c.op("NonZero", c.x(node, "data")), perm=[1, 0])


@rule("compress")
def compress(c: Context, node: Node) -> Tensor:
    axis = normalize_axis(node.attrs["axis"], node.operand("data").type.rank)
    return c.op("Compress", c.x(node, "data"), c.x(node, "mask"), axis=axis)


# -- what ONNX lacks ------------------------------------------------------------------------------------------------
def wide(b: Builder, indices: Value) -> Value:
    """Indices as int64. uint64 beyond it wraps to a negative number, which is out of range like it."""
    return indices if indices.type.dtype == dtypes.int64 else b.cast(indices, to=dtypes.int64)


def position(b: Builder, indices: Value, size: Value, bounds: str, neg: str) -> tuple[Value, Value | None]:
    """Indices in range for ONNX under `clip` and `wrap`; under `fill` and `drop` also which of them were good."""
    at = wide(b, indices)
    if bounds == "wrap":
        return b.mod(at, size), None
    if neg == "from_end":
        at = b.where(b.less(at, 0), b.add(at, size), at)
    if bounds == "clip":
        return b.minimum(b.maximum(at, 0), b.sub(size, 1)), None
    return at, b.and_(b.greater_equal(at, 0), b.less(at, size))


@expand("gather", "gather_elements")
def bounded_gather(b: Builder, node: Node, opset: int) -> Any:
    """`clip` and `wrap` rewrite the index; `fill` reads element 0 instead and replaces what it read, or, of an axis that may
    turn out empty, reads an element more that is put behind it."""
    a, data, indices = node.attrs, node.operand("data"), node.operand("indices")
    if node.op.name == "gather" and a["batch_dims"]:
        return _batched(b, node)
    if a["bounds"] in ("error", "unchecked"):
        return _empty_read(b, node)
    axis = normalize_axis(a["axis"], data.type.rank)
    size = data.type.shape[axis]
    if size == 0 and a["bounds"] == "fill":
        return b.full(shape=node.output.type.shape, value=a["fill_value"], dtype=data.type.dtype)
    at, good = position(b, indices, b.dim(size=size), a["bounds"], a["neg"])
    plain = {**a, "bounds": "unchecked", "neg": "from_end"}
    if good is None:
        return b.op(node.op, data=data, indices=at, **plain)
    if not isinstance(size, int):
        longer = _one_more(b, data, range(axis, axis + 1), a["fill_value"])
        return b.op(node.op, data=longer, indices=b.where(good, at, b.dim(size=size)), **plain)
    read = b.op(node.op, data=data, indices=b.where(good, at, 0), **plain)
    if node.op.name == "gather":
        behind = data.type.rank - 1 - axis
        good = b.unsqueeze(good, axes=tuple(range(indices.type.rank, indices.type.rank + behind))) if behind else good
    return b.where(good, read, b.constant(a["fill_value"], data.type.dtype))


def _one_more(b: Builder, data: Value, axes: range, value: Any) -> Value:
    """The data with one more place, which holds the value, at the end of these axes."""
    return b.pad(data, pads=tuple((0, int(i in axes)) for i in range(data.type.rank)), value=value)


def _empty_read(b: Builder, node: Node) -> Any:
    """Reading nothing from an empty axis, which kernels may refuse."""
    data = node.operand("data").type
    if 0 in node.output.type.shape and 0 in data.shape and all(isinstance(d, int) for d in node.output.type.shape):
        return b.full(shape=node.output.type.shape, value=0, dtype=data.dtype)
    return None


def _batched(b: Builder, node: Node) -> Any:
    """The axis moved behind the batch, then GatherND with batch dimensions, and the index axes moved to their place."""
    a, data, indices = node.attrs, node.operand("data"), node.operand("indices")
    batch, rank = a["batch_dims"], data.type.rank
    axis = normalize_axis(a["axis"], rank)
    middle = list(range(batch, axis))
    if middle:
        data = b.transpose(data, perm=(*range(batch), axis, *middle, *range(axis + 1, rank)))
    kept = {k: a[k] for k in ("bounds", "neg", "fill_value")}
    rows = b.gather_nd(data, b.unsqueeze(indices, axes=(indices.type.rank,)), batch_dims=batch, **kept)
    if not middle:
        return rows
    lead, width = indices.type.rank, len(middle)
    order = (*range(batch), *range(lead, lead + width), *range(batch, lead), *range(lead + width, rows.type.rank))
    return b.transpose(rows, perm=order)


@expand("gather_nd")
def bounded_gather_nd(b: Builder, node: Node, opset: int) -> Any:
    a, data, indices = node.attrs, node.operand("data"), node.operand("indices")
    depth, batch = int(indices.type.shape[-1]), a["batch_dims"]
    sizes = data.type.shape[batch : batch + depth]
    if depth == 0:
        return _copies(b, data, indices.type.shape, batch)
    if a["bounds"] in ("error", "unchecked"):
        return None
    if 0 in sizes and a["bounds"] == "fill":
        return b.full(shape=node.output.type.shape, value=a["fill_value"], dtype=data.type.dtype)
    at, good = position(b, indices, size_vector(b, sizes), a["bounds"], a["neg"])
    plain = {"batch_dims": batch, "bounds": "unchecked"}
    if good is None:
        return b.gather_nd(data, at, **plain)
    row = all_components(b, good)
    wide_row = b.unsqueeze(row, axes=(row.type.rank,))
    if not all(isinstance(d, int) for d in sizes):
        longer = _one_more(b, data, range(batch, batch + depth), a["fill_value"])
        return b.gather_nd(longer, b.where(wide_row, at, size_vector(b, sizes)), **plain)
    read = b.gather_nd(data, b.where(wide_row, at, 0), **plain)
    extra = read.type.rank - row.type.rank
    row = b.unsqueeze(row, axes=tuple(range(row.type.rank, row.type.rank + extra))) if extra else row
    return b.where(row, read, b.constant(a["fill_value"], data.type.dtype))


def size_vector(b: Builder, sizes: tuple[Dim, ...]) -> Value:
    """int64 [n]: the sizes, in the graph."""
    if all(isinstance(d, int) for d in sizes):
        return b.constant(np.array(sizes, np.int64))
    return b.stack([b.dim(size=d) for d in sizes], axis=0)


def all_components(b: Builder, good: Value) -> Value:
    """Whether every component of each index vector is good."""
    return b.reduce_all(good, axes=(good.type.rank - 1,))


def _copies(b: Builder, data: Value, shape: tuple[Dim, ...], batch: int) -> Value:
    """Index vectors of length 0 read all of data, once for each."""
    times = shape[batch:-1]
    spread = b.unsqueeze(data, axes=tuple(range(batch, batch + len(times)))) if times else data
    return b.expand(spread, shape=(*data.type.shape[:batch], *times, *data.type.shape[batch:]))


@expand("nonzero")
def nonzero_of_any(b: Builder, node: Node, opset: int) -> Any:
    data = node.operand("data")
    if data.type.dtype.is_bool:
        return None
    return b.nonzero(b.not_equal(data, b.constant(0, data.type.dtype)), symbol=node.attrs["symbol"])


@expand("mask_select")
def mask_select(b: Builder, node: Node, opset: int) -> Any:
    """A 0-d mask is a mask of one element over a new leading axis."""
    data, mask = node.operand("data"), node.operand("mask")
    if mask.type.rank:
        return None
    return b.compress(b.unsqueeze(data, axes=(0,)), b.unsqueeze(mask, axes=(0,)), symbol=node.attrs["symbol"])
