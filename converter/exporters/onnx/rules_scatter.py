"""Writes at computed positions.

ONNX knows `error` bounds and counts negative indices from the end; the rest is index arithmetic before the scatter:
`drop` writes what is out of range behind the end of a longer copy, `include_self=False` first resets touched cells to
the identity of the reduction. Kernels lose NaN in max and min, so that NaN travels as a mask of its own. ONNX Runtime's
ScatterND combines in several threads without a lock and loses updates where an index repeats (measured: 300,000 updates
of 50 places), so that reductions over index vectors are written as ScatterElements, which it runs in order.
"""

from __future__ import annotations

import math
from typing import Any

from converter.exporters.index_facts import distinct_rows, repeats
from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.rules_indexing import _check_neg, all_components, index, position, size_vector, wide
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Node, Value
from ir.ops.slicing import slice_attrs
from ir.types import Dim, DType, dtypes, normalize_axis

ORDER = (
    "where an index repeats, ONNX leaves open which of the updates remains, here the last "
    "(--index-policy strict keeps the last in every runtime)"
)


def _since(reduction: str) -> int:
    return {"none": 13, "add": 16, "mul": 16, "max": 18, "min": 18}[reduction]


@rule("scatter_elements", "scatter_nd")
def scatter(c: Context, node: Node) -> Tensor:
    _check_neg(c, node)
    a = node.attrs
    reduction = a["reduction"]
    if repeats(node) and c.source != "onnx":
        c.note(ORDER)
    c.needs(_since(reduction), f"a scatter with the reduction {reduction}")
    data, updates = c.x(node, "data"), c.x(node, "updates")
    attrs = {} if reduction == "none" else {"reduction": reduction}
    if node.op.name == "scatter_nd":
        return c.op("ScatterND", data, c.cast(c.x(node, "indices"), dtypes.int64), updates, **attrs)
    return c.op("ScatterElements", data, index(c, c.x(node, "indices")), updates, axis=a["axis"], **attrs)


@expand("scatter_elements", "scatter_nd")
def plain_scatter(b: Builder, node: Node, opset: int) -> Any:
    """The first of these steps that applies; what it makes comes back here for the next."""
    a, data = node.attrs, node.operand("data").type
    indices = node.operand("indices").type
    if node.op.name == "scatter_nd" and indices.shape[-1] == 0:
        return _depth_0(b, node)
    if 0 in indices.shape or 0 in node.operand("updates").type.shape:
        return b.identity(node.operand("data"))
    if a["bounds"] in ("clip", "wrap", "drop"):
        return _bounded(b, node)
    if a["reduction"] == "none":
        return None
    if data.dtype.is_bool:
        return _boolean(b, node)
    if data.dtype.is_half or (data.dtype.is_integer and data.dtype.bits < 32):
        return _widened(b, node, dtypes.float32 if data.dtype.is_half else dtypes.int32)
    if a["reduction"] == "mean":
        return _mean(b, node)
    if a["reduction"] in ("max", "min") and data.dtype.is_float and not _no_nan(node.operand("data")):
        return _nan_apart(b, node)
    if not a["include_self"]:
        reset = _reset(b, node, identity_of(a["reduction"], data.dtype))
        return _again(b, node, data=reset, include_self=True)
    if node.op.name == "scatter_nd" and not a["unique"] and not distinct_rows(node.operand("indices")):
        return _by_elements(b, node)
    return None


@expand("mask_scatter")
def listed_mask(b: Builder, node: Node, opset: int) -> Any:
    """The count of True gets a name where it has none; a 0-d mask is one of one element over a new leading axis."""
    data, mask, source = (node.operand(k) for k in ("data", "mask", "source"))
    if mask.type.rank == 0:
        wide = b.mask_scatter(b.unsqueeze(data, axes=(0,)), b.unsqueeze(mask, axes=(0,)), source, symbol=count_name(node))
        return b.squeeze(wide, axes=(0,))
    return None if node.attrs["symbol"] else b.mask_scatter(data, mask, source, symbol=count_name(node))


@expand("index_put")
def named_count(b: Builder, node: Node, opset: int) -> Any:
    has_mask = any(v.type.dtype.is_bool for v in node.operands["arrays"])
    if node.attrs["symbol"] or not has_mask:
        return None
    return b.index_put(**node.operands, **{**node.attrs, "symbol": count_name(node)})


def count_name(node: Node) -> str:
    """A name for a size that this node brings in: graphs only grow while they are lowered, so their lengths differ from
    one such node to the next."""
    lengths = []
    graph = node.graph
    while graph is not None:
        lengths.append(str(len(graph)))
        graph = graph.parent.graph if graph.parent is not None else None
    return "isomorph_count_" + "_".join(lengths)


def _again(b: Builder, node: Node, **changes: Any) -> Value:
    """The same scatter with other operands or attributes."""
    given = {**node.operands, **node.attrs, **changes}
    return b.op(node.op, **given)


def identity_of(reduction: str, dtype: DType) -> bool | int | float:
    """What a reduction starts from."""
    if reduction == "add":
        return 0
    if reduction == "mul":
        return 1
    if dtype.is_float:
        return -math.inf if reduction == "max" else math.inf
    return dtype.min if reduction == "max" else dtype.max


def _reset(b: Builder, node: Node, value: bool | int | float) -> Value:
    """The data with `value` in every cell that is written."""
    updates = node.operand("updates").type
    fill = b.full(shape=updates.shape, value=value, dtype=updates.dtype)
    return _again(b, node, updates=fill, reduction="none", include_self=True)


def _widened(b: Builder, node: Node, wide: DType) -> Value:
    """Accumulated in a wider type, rounded (or wrapped) once."""
    out = _again(b, node, data=b.cast(node.operand("data"), to=wide), updates=b.cast(node.operand("updates"), to=wide))
    return b.cast(out, to=node.output.type.dtype)


def _boolean(b: Builder, node: Node) -> Value:
    """Or as the maximum and and as the minimum of 0 and 1."""
    reduction = "max" if node.attrs["reduction"] in ("add", "max") else "min"
    data, updates = (b.cast(node.operand(k), to=dtypes.int32) for k in ("data", "updates"))
    return b.cast(_again(b, node, data=data, updates=updates, reduction=reduction), to=dtypes.bool_)


def _mean(b: Builder, node: Node) -> Value:
    """The sum divided by the number of what went into it; integers floor."""
    data, updates = node.operand("data"), node.operand("updates")
    kind = data.type.dtype
    total = _again(b, node, reduction="add")
    counter = kind if kind.is_float else dtypes.int64
    ones = b.full(shape=data.type.shape, value=1, dtype=counter)
    each = b.full(shape=updates.type.shape, value=1, dtype=counter)
    count = _again(b, node, data=ones, updates=each, reduction="add")
    if kind.is_float:
        return b.div(total, count)
    return b.cast(b.floor_div(b.cast(total, to=dtypes.int64), count), to=kind)


def _no_nan(data: Value) -> bool:
    """Whether `_nan_apart` has taken the NaNs out already."""
    made = data.producer
    while made is not None and made.op.name in ("scatter_elements", "scatter_nd"):
        made = made.operand("data").producer
    return made is not None and made.op.name == "where" and made.operand("condition").producer is not None and (
        made.operand("condition").producer.op.name == "isnan"  # type: ignore[union-attr]
    )


def _nan_apart(b: Builder, node: Node) -> Value:
    """max and min of numbers only, and NaN wherever one took part."""
    data, updates = node.operand("data"), node.operand("updates")
    kind = data.type.dtype
    neutral = b.constant(identity_of(node.attrs["reduction"], kind), kind)
    numbers = [b.where(b.isnan(v), neutral, v) for v in (data, updates)]
    out = _again(b, node, data=numbers[0], updates=numbers[1])
    marks = [b.cast(b.isnan(v), to=dtypes.int32) for v in (data, updates)]
    found = _again(b, node, data=marks[0], updates=marks[1], reduction="max")
    return b.where(b.greater(found, 0), b.constant(math.nan, kind), out)


def _bounded(b: Builder, node: Node) -> Value:
    """Indices moved into range, or, to drop, behind the end of a copy that is longer by one."""
    a, data, indices = node.attrs, node.operand("data"), node.operand("indices")
    nd = node.op.name == "scatter_nd"
    axes = list(range(int(indices.type.shape[-1]))) if nd else [normalize_axis(a["axis"], data.type.rank)]
    sizes = tuple(data.type.shape[k] for k in axes)
    size = size_vector(b, sizes) if nd else b.dim(size=sizes[0])
    at, good = position(b, indices, size, a["bounds"], a["neg"])
    plain = {"bounds": "unchecked", "neg": "from_end", "unique": a["unique"]}
    if good is None:
        return _again(b, node, indices=at, **plain)
    if nd:
        row = all_components(b, good)
        good = b.unsqueeze(row, axes=(row.type.rank,))
    at = b.where(good, at, size)
    pads = tuple((0, 1 if k in axes else 0) for k in range(data.type.rank))
    longer = b.pad(data, pads=pads)
    out = _again(b, node, data=longer, indices=at, **plain)
    for axis, n in zip(axes, sizes):
        out = b.slice(out, **slice_attrs(axis, 0, n, 1))
    return out


def _by_elements(b: Builder, node: Node) -> Value:
    """The places in one row, the slices behind them in another: index vectors become row numbers, of which one that
    holds a bad component lies behind the end."""
    a, data, indices, updates = node.attrs, node.operand("data"), node.operand("indices"), node.operand("updates")
    depth = int(indices.type.shape[-1])
    sizes, count = data.type.shape[:depth], product(indices.type.shape[:-1])
    places, width = product(sizes), product(data.type.shape[depth:])
    if depth == 1:
        row = b.reshape(wide(b, indices), shape=(count, 1))
    else:
        at, good = position(b, indices, size_vector(b, sizes), "error", a["neg"])
        assert good is not None
        steps = size_vector(b, tuple(product(sizes[k + 1 :]) for k in range(depth)))
        flat = b.reduce_sum(b.mul(at, steps), axes=(at.type.rank - 1,))
        row = b.reshape(b.where(all_components(b, good), flat, b.dim(size=places)), shape=(count, 1))
    out = b.scatter_elements(
        b.reshape(data, shape=(places, width)), b.expand(row, shape=(count, width)), b.reshape(updates, shape=(count, width)),
        **{k: a[k] for k in ("reduction", "bounds", "neg", "unique")},
    )  # fmt: skip
    return b.reshape(out, shape=data.type.shape)


def product(shape: tuple[Dim, ...]) -> Dim:
    """The number of elements of a shape."""
    total: Dim = 1
    for size in shape:
        total = size * total
    return total


def _depth_0(b: Builder, node: Node) -> Value:
    """Index vectors of length 0 write all of data: updates in order, as slices of a new leading axis."""
    data, indices = node.operand("data"), node.operand("indices")
    zeros = b.full(shape=(*indices.type.shape[:-1], 1), value=0, dtype=dtypes.int64)
    out = _again(b, node, data=b.unsqueeze(data, axes=(0,)), indices=zeros)
    return b.squeeze(out, axes=(0,))
