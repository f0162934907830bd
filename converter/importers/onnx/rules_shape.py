"""Reshaping and movement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from converter.importers.partial.reshaping import new_shape, ones_to_drop, padded_with
from converter.importers.partial.values import Ref
from ir.core import Value
from ir.types import (
    Dim,
    dtypes,
    floordiv,
    normalize_axes,
    normalize_axis,
    numel,
)


@rule("Identity", 1, 13, 14, 16, 19, 21, 23, 24, 25)
def identity(c: OnnxContext) -> Ref:
    """The same tensor under another name: no node."""
    return c.ref(0)


@rule("Reshape", 5, 13, 14, 19, 21, 23, 24, 25)
def reshape(c: OnnxContext) -> Value:
    keep_zero = bool(c.attr("allowzero")) if c.version >= 14 else False
    return c.b.reshape(c.x(), shape=new_shape(c, c.ref(1), keep_zero))


@rule("Flatten", 1, 9, 11, 13, 21, 23, 24, 25)
def flatten(c: OnnxContext) -> Value:
    """Two axes: those before `axis` merged, those from it on merged."""
    x, axis = c.x(), c.attr("axis")
    axis = axis + x.type.rank if axis < 0 else axis
    if not 0 <= axis <= x.type.rank:
        c.refuse(f"axis={axis} is out of range for {x.type}")
    if axis == 1 and x.type.rank >= 2:
        return c.b.flatten(x, start=1, end=-1)
    return c.b.reshape(x, shape=(numel(x.type.shape[:axis]), numel(x.type.shape[axis:])))


@rule("Squeeze", 1, 11, 13, 21, 23, 24, 25)
def squeeze(c: OnnxContext) -> Value:
    axes = c.axes("axes", 1, 13)
    if axes is None:
        axes = ones_to_drop(c, "Squeeze")
    return c.b.squeeze(c.x(), axes=normalize_axes(axes, c.rank()))


@rule("Unsqueeze", 1, 11, 13, 21, 23, 24, 25)
def unsqueeze(c: OnnxContext) -> Value:
    axes = c.axes("axes", 1, 13)
    if axes is None:
        c.refuse("its axes are missing")
    return c.b.unsqueeze(c.x(), axes=normalize_axes(axes, c.rank() + len(axes)))


@rule("Transpose", 1, 13, 21, 23, 24, 25)
def transpose(c: OnnxContext) -> Value:
    perm = c.attr("perm")
    return c.b.transpose(c.x(), perm=tuple(perm) if perm is not None else tuple(reversed(range(c.rank()))))


@rule("Expand", 8, 13)
def expand(c: OnnxContext) -> Value:
    """Both sides broadcast: a 1 in the shape keeps the size of x."""
    return c.b.expand(c.x(), shape=_broadcast(c.type().shape, c.dims(1, "the shape")))


def _broadcast(have: Sequence[Dim], want: Sequence[Dim]) -> tuple[Dim, ...]:
    rank = max(len(have), len(want))
    left, right = (1,) * (rank - len(have)) + tuple(have), (1,) * (rank - len(want)) + tuple(want)
    return tuple(_stretched(a, b) for a, b in zip(left, right, strict=True))


def _stretched(have: Dim, want: Dim) -> Dim:
    """A fixed size above 1 stays, whatever a size only the run knows turns out to be: it may only be 1 or the same."""
    if have == 1:
        return want
    return have if want == 1 or (isinstance(have, int) and not isinstance(want, int)) else want


@rule("Tile", 6, 13)
def tile(c: OnnxContext) -> Value:
    return c.b.tile(c.x(), repeats=c.dims(1, "the repeats"))


@rule("Concat", 4, 11, 13)
def concat(c: OnnxContext) -> Value:
    values = c.xs()
    axis = normalize_axis(c.attr("axis"), values[0].type.rank)
    return c.b.concat(values, axis=axis) if len(values) > 1 else c.b.identity(values[0])


@rule("Split", 2, 11, 13, 18)
def split(c: OnnxContext) -> Any:
    """Sizes as given, or equal parts; from version 18 on the last part may be smaller (num_outputs)."""
    axis = normalize_axis(c.attr("axis"), c.rank())
    count, size = len(c.node.output), c.type().shape[axis]
    wanted = c.attr("num_outputs") if c.version >= 18 else None
    sizes: tuple[Dim, ...]
    if c.version < 13 and c.attr("split"):
        sizes = tuple(c.attr("split"))
    elif c.version >= 13 and c.has(1):
        if wanted is not None:
            c.refuse("split and num_outputs are both given")
        sizes = c.dims(1, "the sizes of the parts")
    else:
        sizes = _equal_parts(c, size, wanted if wanted is not None else count, c.version >= 18)
    if len(sizes) != count:
        c.refuse(f"it has {count} outputs for {len(sizes)} parts")
    parts = c.b.split(c.x(), sizes=sizes, axis=axis)
    return parts if isinstance(parts, tuple) else (parts,)


def _equal_parts(c: OnnxContext, size: Dim, count: int, uneven: bool) -> tuple[Dim, ...]:
    if not uneven or not isinstance(size, int):
        part = floordiv(size, count)
        if part * count != size:
            c.refuse(f"size {size} does not divide into {count} equal parts")
        return (part,) * count
    part = -(-size // count)
    sizes = [part] * (count - 1)
    return (
        (*sizes, max(size - sum(sizes), 0))
        if sum(sizes) <= size
        else c.refuse(f"size {size} does not split into {count} parts")
    )


@rule("Pad", 2)
def pad_attributes(c: OnnxContext) -> Value:
    return _pad(c, tuple(c.attr("pads")), tuple(range(c.rank())), c.attr("value"))


@rule("Pad", 11, 13, 18, 19, 21, 23, 24, 25)
def pad(c: OnnxContext) -> Value:
    axes = tuple(range(c.rank()))
    if c.version >= 18 and c.has(3):
        axes = normalize_axes(c.ints(3, "the axes input"), c.rank())
    value: Any = 0
    if c.has(2) and c.const(2) is None:
        return _pad_with(c, axes)
    if c.has(2):
        value = c.fixed(2, "the padding value").item()
    return _pad(c, c.dims(1, "the pads"), axes, value)


def _pad_with(c: OnnxContext, axes: tuple[int, ...]) -> Value:
    """The padding value is only known at run time: zeros, replaced where a mask padded alike says so."""
    padded = _pad(c, c.dims(1, "the pads"), axes, 0)
    if c.attr("mode") != "constant":
        return padded
    return padded_with(c, padded, c.x(2))


def _pad(c: OnnxContext, flat: tuple[Dim, ...], axes: tuple[int, ...], value: Any) -> Value:
    mode = c.only("mode", "constant", "reflect", "edge", *(["wrap"] if c.version >= 19 else []))
    n = len(axes)
    if len(flat) != 2 * n:
        c.refuse(f"{len(flat)} pads do not fit {n} axes")
    pads: list[tuple[Dim, Dim]] = [(0, 0)] * c.rank()
    for i, axis in enumerate(axes):
        pads[axis] = (flat[i], flat[n + i])
    return c.b.pad(c.x(), pads=tuple(pads), mode=mode, value=value if mode == "constant" else 0)


@rule("DepthToSpace", 1, 11, 13, 28)
def depth_to_space(c: OnnxContext) -> Value:
    mode = c.only("mode", "DCR", "CRD") if c.version >= 11 else "DCR"
    return c.b.depth_to_space(c.x(), block=c.attr("blocksize"), mode=mode)


@rule("SpaceToDepth", 1, 13, 28)
def space_to_depth(c: OnnxContext) -> Value:
    """Blocks become channels, slowest (DCR) or fastest (CRD)."""
    block = c.attr("blocksize")
    if "mode" not in c.schema.attributes or c.only("mode", "DCR", "CRD") == "DCR":
        return c.b.space_to_depth(c.x(), block=block)
    batch, channels, height, width = c.type().shape
    rows, columns = floordiv(height, block), floordiv(width, block)
    split = c.b.reshape(c.x(), shape=(batch, channels, rows, block, columns, block))
    moved = c.b.transpose(split, perm=(0, 1, 3, 5, 2, 4))
    return c.b.reshape(moved, shape=(batch, channels * block * block, rows, columns))


@rule("Trilu", 14)
def trilu(c: OnnxContext) -> Value:
    if c.has(1) and c.const(1) is None:
        return _trilu_at(c)
    k = c.dims(1, "the diagonal")[0] if c.has(1) else 0
    return (c.b.triu if c.attr("upper") else c.b.tril)(c.x(), k=k)


def _trilu_at(c: OnnxContext) -> Value:
    """The diagonal is only known at run time, and may be negative: elements are chosen by their positions."""
    b, x = c.b, c.x()
    k = b.reshape(c.cast(c.x(1), dtypes.int64), shape=())
    rows = b.unsqueeze(b.arange(start=0, stop=x.type.shape[-2], step=1, dtype="int64"), axes=(1,))
    away = b.sub(b.arange(start=0, stop=x.type.shape[-1], step=1, dtype="int64"), rows)
    keep = b.greater_equal(away, k) if c.attr("upper") else b.less_equal(away, k)
    zero: bool | int = False if x.type.dtype.is_bool else 0
    return b.where(keep, x, b.full(shape=(), value=zero, dtype=x.type.dtype))


@rule("CenterCropPad", 18)
def center_crop_pad(c: OnnxContext) -> Value:
    """Each axis is cropped or padded with zeros to its size, the odd element at the end."""
    rank = c.rank()
    axes = normalize_axes(c.attr("axes") or range(rank), rank)
    pads: list[tuple[Dim, Dim]] = [(0, 0)] * rank
    for axis, want in zip(axes, c.ints(1, "the shape"), strict=True):
        have = c.type().shape[axis]
        if not isinstance(have, int):
            c.refuse(f"cropping or padding the size {have} depends on the run")
        change = want - have
        before = math.trunc(change / 2)
        pads[axis] = (before, change - before)
    return c.b.pad(c.x(), pads=tuple(pads))
