"""Padding, blocks of pixels, bands."""

from __future__ import annotations

from typing import Any

from converter.importers.partial.reshaping import padded_with
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.rules_creation import number
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import Dim, dtypes, floordiv, numel, same

Pairs = tuple[tuple[Dim, Dim], ...]


def _pairs(c: TensorflowContext, index: int, what: str) -> Pairs:
    """A matrix of sizes, two for each axis, none of them negative."""
    ref = c.ref(index)
    found = c.elements(ref, what)
    if ref.type.rank != 2 or found.shape[1] != 2:
        c.refuse(f"{what} of shape {list(found.shape)}")
    pairs = tuple((c.dim(a), c.dim(b)) for a, b in found)
    if any(isinstance(d, int) and d < 0 for pair in pairs for d in pair):
        c.refuse(f"{what} that are negative")
    return pairs


def _for_each_axis(c: TensorflowContext, pairs: Pairs) -> Pairs:
    if len(pairs) != c.rank():
        c.refuse(f"paddings of {len(pairs)} axes for {c.type()}")
    return pairs


@rule("Pad", "PadV2")
def pad(c: TensorflowContext) -> Value:
    pads, x = _for_each_axis(c, _pairs(c, 1, "the paddings")), c.x()
    zero: Any = False if x.type.dtype.is_bool else 0
    value = zero if c.op == "Pad" else number(c, 2)
    if not pads:
        return c.b.identity(x)
    padded = c.b.pad(x, pads=pads, value=zero if value is None else value)
    return padded if value is not None else padded_with(c, padded, c.x(2))


@rule("MirrorPad")
def mirror_pad(c: TensorflowContext) -> Value:
    """The mirror stands on the last element (REFLECT) or behind it (SYMMETRIC)."""
    pads, x = _for_each_axis(c, _pairs(c, 1, "the paddings")), c.x()
    if c.only("mode", "REFLECT", "SYMMETRIC") == "REFLECT":
        return c.b.pad(x, pads=pads, mode="reflect") if pads else c.b.identity(x)
    for axis, (before, after) in enumerate(pads):
        size = x.type.shape[axis]
        parts = [x]
        if before != 0:
            parts.insert(0, _end(c, x, axis, before, True))
        if after != 0:
            parts.append(_end(c, x, axis, after, False))
        if any(isinstance(w, int) and isinstance(size, int) and w > size for w in (before, after)):
            c.refuse(f"symmetric paddings {before} and {after} of an axis of {size}")
        x = c.b.concat(parts, axis=axis) if len(parts) > 1 else x
    return x


def _end(c: TensorflowContext, x: Value, axis: int, width: Dim, front: bool) -> Value:
    """The elements at an end of an axis, mirrored: as many as `width` says, or an error."""
    size = x.type.shape[axis]
    start, stop = (0, width) if front else (size - width, size)
    piece = c.b.slice(x, axes=(axis,), starts=(start,), stops=(stop,), steps=(1,))
    if same(piece.type.shape[axis], width) is not True:
        shape = tuple(width if i == axis else d for i, d in enumerate(piece.type.shape))
        piece = c.b.reshape(piece, shape=shape)  # which fails where the axis is shorter
    return c.b.flip(piece, axes=(axis,))


# -- blocks -------------------------------------------------------------------------------------------------------------
@rule("DepthToSpace", "SpaceToDepth")
def blocks(c: TensorflowContext) -> Value:
    layout = "channels_last" if c.only("data_format", "NHWC", "NCHW") == "NHWC" else "channels_first"
    if c.rank() != 4:
        c.refuse(f"images of {c.type()}, which have no 4 axes")
    move = c.b.depth_to_space if c.op == "DepthToSpace" else c.b.space_to_depth
    return move(c.x(), block=c.attr("block_size"), mode="DCR", layout=layout)


@rule("SpaceToBatchND")
def space_to_batch_nd(c: TensorflowContext) -> Value:
    return _space_to_batch(c, c.ints(1, "the block shape"), _pairs(c, 2, "the paddings"))


@rule("SpaceToBatch")
def space_to_batch(c: TensorflowContext) -> Value:
    return _space_to_batch(c, (c.attr("block_size"),) * 2, _pairs(c, 1, "the paddings"))


@rule("BatchToSpaceND")
def batch_to_space_nd(c: TensorflowContext) -> Value:
    return _batch_to_space(c, c.ints(1, "the block shape"), _pairs(c, 2, "the crops"))


@rule("BatchToSpace")
def batch_to_space(c: TensorflowContext) -> Value:
    return _batch_to_space(c, (c.attr("block_size"),) * 2, _pairs(c, 1, "the crops"))


def _checked(c: TensorflowContext, block: tuple[int, ...], pairs: Pairs) -> None:
    if len(block) != len(pairs) or c.rank() <= len(block) or any(n < 1 for n in block):
        c.refuse(f"blocks of {list(block)} and {len(pairs)} pairs for {c.type()}")


def _space_to_batch(c: TensorflowContext, block: tuple[int, ...], pads: Pairs) -> Value:
    """Padded, then each position in a block to a batch of its own, slowest."""
    _checked(c, block, pads)
    b, x, m = c.b, c.x(), len(block)
    if any(d != 0 for pair in pads for d in pair):
        rest = ((0, 0),) * (x.type.rank - 1 - m)
        x = b.pad(x, pads=((0, 0), *pads, *rest), value=False if x.type.dtype.is_bool else 0)
    batch, inner, tail = x.type.shape[0], x.type.shape[1 : 1 + m], x.type.shape[1 + m :]
    outer = tuple(floordiv(d, n) for d, n in zip(inner, block, strict=True))
    split = [d for pair in zip(outer, block, strict=True) for d in pair]
    x = b.reshape(x, shape=(batch, *split, *tail))
    last = tuple(range(1 + 2 * m, 1 + 2 * m + len(tail)))
    x = b.transpose(x, perm=(*range(2, 2 + 2 * m, 2), 0, *range(1, 1 + 2 * m, 2), *last))
    return b.reshape(x, shape=(batch * numel(block), *outer, *tail))


def _batch_to_space(c: TensorflowContext, block: tuple[int, ...], crops: Pairs) -> Value:
    """Batches to the positions of a block, then cropped."""
    _checked(c, block, crops)
    b, x, m = c.b, c.x(), len(block)
    inner, tail = x.type.shape[1 : 1 + m], x.type.shape[1 + m :]
    batch = floordiv(x.type.shape[0], numel(block))
    x = b.reshape(x, shape=(*block, batch, *inner, *tail))
    order = [k for i in range(m) for k in (m + 1 + i, i)]
    x = b.transpose(x, perm=(m, *order, *range(2 * m + 1, 2 * m + 1 + len(tail))))
    whole = tuple(d * n for d, n in zip(inner, block, strict=True))
    x = b.reshape(x, shape=(batch, *whole, *tail))
    if all(d == 0 for pair in crops for d in pair):
        return x
    for size, (before, after) in zip(whole, crops, strict=True):
        left = size - before - after
        if isinstance(left, int) and left < 0:
            c.refuse(f"crops of {before} and {after} from an axis of {size}")
    starts = tuple(before for before, _ in crops)
    stops = tuple(size - after for size, (_, after) in zip(whole, crops, strict=True))
    return b.slice(x, axes=tuple(range(1, 1 + m)), starts=starts, stops=stops, steps=(1,) * m)


# -- bands --------------------------------------------------------------------------------------------------------------
@rule("MatrixBandPart")
def band_part(c: TensorflowContext) -> Value:
    """So many diagonals below and above the main one; a negative number keeps all."""
    lower, upper = c.const(1), c.const(2)
    x = c.x()
    if lower is None or upper is None:
        return _run_time_band(c, x)
    below, above = (int(v.reshape(())) for v in (lower, upper))
    if below >= 0:
        x = c.b.triu(x, k=-below)
    if above >= 0:
        x = c.b.tril(x, k=above)
    return x if below >= 0 or above >= 0 else c.b.identity(x)


def _run_time_band(c: TensorflowContext, x: Value) -> Value:
    b = c.b
    lower, upper = (c.cast(c.x(i), dtypes.int64) for i in (1, 2))
    rows = b.unsqueeze(b.arange(start=0, stop=x.type.shape[-2], step=1, dtype=dtypes.int64), axes=(1,))
    away = b.sub(b.arange(start=0, stop=x.type.shape[-1], step=1, dtype=dtypes.int64), rows)
    low = b.or_(b.less(lower, 0), b.less_equal(b.neg(away), lower))
    high = b.or_(b.less(upper, 0), b.less_equal(away, upper))
    zero = b.full(shape=(), value=False if x.type.dtype.is_bool else 0, dtype=x.type.dtype)
    return b.where(b.and_(low, high), x, zero)
