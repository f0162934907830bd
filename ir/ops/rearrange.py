"""Ops that move elements by a pattern: padding, triangles, diagonals, blocks to depth and back, sliding windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from ir.ops.axes import Layout
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.ops.shape import moved_last
from ir.types import (
    Dim,
    Shape,
    TensorType,
    dim_max,
    dim_min,
    dtypes,
    floordiv,
    mod,
    normalize_axes,
    normalize_axis,
    require_same,
)
from ir.types.errors import AttributeValueError, AxisError, DTypeError, ShapeError

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value

Array = np.ndarray
Pads = tuple[tuple[Dim, Dim], ...]
PadMode = Literal["constant", "reflect", "edge", "wrap"]
DepthMode = Literal["DCR", "CRD"]


@op
class Pad:
    """x with pads[k] = (before, after) elements added along axis k; negative numbers crop, before anything is added.

    `constant` adds `value`, `edge` repeats the border, `wrap` continues periodically (any length), `reflect` mirrors
    without repeating the border and adds less than the size. Under `reflect` an axis may not both crop and add, where
    frameworks differ (torch mirrors the uncropped axis, ONNX Runtime the cropped one).
    """

    inputs = ("x: any",)
    pads: tuple[tuple[Dim, Dim], ...]
    mode: PadMode = "constant"
    value: bool | int | float = 0

    @staticmethod
    def infer(x: TensorType, pads: Pads, mode: str, value: float) -> TensorType:
        if len(pads) != x.rank:
            raise ShapeError(f"pad: {len(pads)} pairs for rank {x.rank}")
        if mode == "constant" and not (x.dtype.is_float or x.dtype.is_complex) and float(value) != int(value):
            raise DTypeError(f"pad: {value!r} is no {x.dtype}")
        for size, pair in zip(x.shape, pads, strict=True):
            _check_pad(size, pair, mode)
        return x.with_shape(n + a + b for n, (a, b) in zip(x.shape, pads, strict=True))

    @staticmethod
    def evaluate(x: Array, pads: tuple[tuple[int, int], ...], mode: PadMode, value: float) -> Array:
        for size, pair in zip(x.shape, pads, strict=True):
            _check_pad(size, pair, mode)
        x = x[tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, pads, strict=True))]
        grow = [(max(a, 0), max(b, 0)) for a, b in pads]
        if mode == "constant":
            return np.pad(x, grow, constant_values=np.asarray(value).astype(x.dtype))
        return np.pad(x, grow, mode=mode) if any(n for pair in grow for n in pair) else x

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        x = s.floats(4, 3)
        for mode in ("constant", "reflect", "edge", "wrap"):
            for pads in (((1, 2), (0, 1)), ((0, 0), (2, 2)), ((-1, -2), (0, -1)), ((3, 0), (-1, 0)), ((0, 0), (0, 0))):
                yield s.case(x, pads=pads, mode=mode, value=1.5 if mode == "constant" else 0, dynamic=((0, 0),))
        for mode in ("constant", "edge", "wrap"):
            yield s.case(x, pads=((-2, 3), (4, -1)), mode=mode, name="crop and add")
            yield s.case(x, pads=((7, 9), (5, 4)), mode=mode, name="longer than x")
        yield s.case(s.ints(2, 3), pads=((1, 0), (0, 1)), value=-7)
        yield s.case(s.bools(3), pads=((1, 1),), value=True)
        yield s.case(s.floats(0, 2), pads=((1, 1), (0, 0)), value=float("inf"), name="empty")
        yield s.case(x, pads=((4, 0), (0, 0)), mode="reflect", name="too long", error=ShapeError)
        yield s.case(x, pads=((2, -2), (0, 0)), mode="reflect", name="crop and add", error=AttributeValueError)
        yield s.case(x, pads=((-3, -2), (0, 0)), name="crops too much", error=ShapeError)
        yield s.case(x, pads=((1, 1),), name="pairs", error=ShapeError)
        for mode in ("edge", "wrap", "reflect"):
            yield s.case(s.floats(0), pads=((1, 0),), mode=mode, name="nothing to repeat", error=ShapeError)
        yield s.case(s.ints(2), pads=((1, 0),), value=0.5, name="no integer", error=DTypeError)


def _check_pad(size: Dim, pair: tuple[Dim, Dim], mode: str) -> None:
    """Raise where one axis cannot be padded so; nothing where symbolic sizes leave it open (evaluation checks)."""
    before, after = pair
    if not (isinstance(size, int) and isinstance(before, int) and isinstance(after, int)):
        return
    left = size + min(before, 0) + min(after, 0)
    if left < 0:
        raise ShapeError(f"pad {pair} crops more than the size {size}")
    added = max(before, after, 0)
    if mode == "reflect" and added and min(before, after) < 0:
        raise AttributeValueError(f"pad {pair}: reflect may not crop and add along one axis; frameworks differ")
    if mode != "constant" and added and left == 0 or mode == "reflect" and added and added >= left:
        raise ShapeError(f"pad {pair}: mode {mode} has too few elements ({left}) to repeat")


class _Triangle:
    """What tril and triu share."""

    inputs = ("x: any",)
    k: Dim = 0

    @staticmethod
    def infer(x: TensorType, k: Dim) -> TensorType:
        if x.rank < 2:
            raise ShapeError(f"a triangle needs two axes, got {x}")
        return x

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for k in (0, 1, -2, 9, -9):
            yield s.case(s.floats(2, 4, 3, edge=True), k=k)
        yield s.case(s.bools(3, 5), k=1)
        yield s.case(s.ints(0, 3))
        yield s.case(s.floats(3), name="1-D", error=ShapeError)


@op
class Tril(_Triangle):
    """The lower triangle of the last two axes, zero above the k-th diagonal."""

    @staticmethod
    def evaluate(x: Array, k: int) -> Array:
        return np.tril(x, k)

    @staticmethod
    def decompose(b: Builder, x: Value, k: Dim) -> Value:
        return _triangle(b, x, k, lower=True)


@op
class Triu(_Triangle):
    """The upper triangle of the last two axes, zero below the k-th diagonal."""

    @staticmethod
    def evaluate(x: Array, k: int) -> Array:
        return np.triu(x, k)

    @staticmethod
    def decompose(b: Builder, x: Value, k: Dim) -> Value:
        return _triangle(b, x, k, lower=False)


def _triangle(b: Builder, x: Value, k: Dim, lower: bool) -> Value:
    rows, cols = x.type.shape[-2:]
    row = b.reshape(b.arange(start=0, stop=rows, step=1, dtype=dtypes.int64), shape=(rows, 1))
    row = b.add(row, b.dim(size=k))
    col = b.arange(start=0, stop=cols, step=1, dtype=dtypes.int64)
    return b.where(b.greater_equal(row, col) if lower else b.less_equal(row, col), x, b.constant(0, x.type.dtype))


@op
class Diagonal:
    """The `offset`-th diagonal of the plane axis1, axis2 as a new last axis (NumPy diagonal)."""

    inputs = ("x: any",)
    offset: int = 0
    axis1: int = -2
    axis2: int = -1

    @staticmethod
    def infer(x: TensorType, offset: int, axis1: int, axis2: int) -> TensorType:
        first, second = normalize_axes((axis1, axis2), x.rank)
        rows, cols = x.shape[first] + min(offset, 0), x.shape[second] - max(offset, 0)
        rest = [d for a, d in enumerate(x.shape) if a not in (first, second)]
        return x.with_shape((*rest, dim_max(dim_min(rows, cols), 0)))

    @staticmethod
    def evaluate(x: Array, offset: int, axis1: int, axis2: int) -> Array:
        return np.diagonal(x, offset, axis1, axis2)

    @staticmethod
    def decompose(b: Builder, x: Value, offset: int, axis1: int, axis2: int) -> Value:
        plane = normalize_axes((axis1, axis2), x.type.rank)
        rank = x.type.rank
        length = Diagonal.infer(x.type, offset, axis1, axis2).shape[-1]
        ramp = b.arange(start=0, stop=length, step=1, dtype=dtypes.int64)
        places = b.stack([b.add(ramp, max(-offset, 0)), b.add(ramp, max(offset, 0))], axis=1)
        rest = [k for k in range(rank) if k not in plane]
        rows = b.gather_nd(b.transpose(x, perm=(*plane, *rest)), places, neg="invalid")
        return b.transpose(rows, perm=(*range(1, rank - 1), 0))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for offset in (0, 1, -2, 7, -7):
            yield s.case(s.floats(2, 4, 3), offset=offset)
        for axis1, axis2 in ((0, 1), (1, 0), (2, 0), (-3, -1)):
            yield s.case(s.floats(3, 4, 5), offset=1, axis1=axis1, axis2=axis2)
        yield s.case(s.ints(0, 3))
        yield s.case(s.floats(3, 3), axis1=1, name="one axis", error=AxisError)
        yield s.case(s.floats(3), name="1-D", error=AxisError)


def _image(shape: Shape, layout: Layout, what: str) -> tuple[Shape, Dim, Dim, Dim]:
    """Leading sizes, channels, height and width of an image operand."""
    if len(shape) < 3:
        raise ShapeError(f"{what} needs channels, height and width, got rank {len(shape)}")
    c, h, w = shape[-3:] if layout == "channels_first" else (shape[-1], shape[-3], shape[-2])
    return tuple(shape[:-3]), c, h, w


def _image_shape(lead: Shape, c: Dim, h: Dim, w: Dim, layout: Layout) -> Shape:
    return (*lead, c, h, w) if layout == "channels_first" else (*lead, h, w, c)


def _perm(lead: Shape, order: Sequence[int]) -> tuple[int, ...]:
    return (*range(len(lead)), *(k + len(lead) for k in order))


# The order in which the five inner axes are read; keys are (layout, mode). Depth axes: i, j within a block, c channels.
_TO_SPACE = {
    ("channels_first", "DCR"): ("ijchw", "chiwj"), ("channels_first", "CRD"): ("cijhw", "chiwj"),
    ("channels_last", "DCR"): ("hwijc", "hiwjc"), ("channels_last", "CRD"): ("hwcij", "hiwjc"),
}  # fmt: skip


@op
class DepthToSpace:
    """Channels moved into blocks of block x block pixels; the last three axes are the image, any others lead.

    Channel order: `DCR` (row in block, column in block, channel) as TensorFlow and ONNX, `CRD` (channel, row, column)
    as torch.pixel_shuffle.
    """

    inputs = ("x: any",)
    block: int
    mode: DepthMode = "DCR"
    layout: Layout = "channels_first"

    @staticmethod
    def infer(x: TensorType, block: int, mode: str, layout: Layout) -> TensorType:
        lead, c, h, w = _image(x.shape, layout, "depth_to_space")
        if block < 1:
            raise AttributeValueError(f"depth_to_space: block {block} must be at least 1")
        require_same(mod(c, block * block), 0, f"depth_to_space: channels {c} are a multiple of {block * block}")
        return x.with_shape(_image_shape(lead, floordiv(c, block * block), h * block, w * block, layout))

    @staticmethod
    def evaluate(x: Array, block: int, mode: DepthMode, layout: Layout) -> Array:
        split, perm, shape = _to_space(x.shape, block, mode, layout)
        return x.reshape(split).transpose(perm).reshape(shape)

    @staticmethod
    def decompose(b: Builder, x: Value, block: int, mode: DepthMode, layout: Layout) -> Value:
        split, perm, shape = _to_space(x.type.shape, block, mode, layout)
        return b.reshape(b.transpose(b.reshape(x, shape=split), perm=perm), shape=shape)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for mode in ("DCR", "CRD"):
            for block in (1, 2, 3):
                yield s.case(s.floats(2, 2 * block**2, 2, 3), block=block, mode=mode)
                yield s.case(s.floats(2, 2, 3, 2 * block**2), block=block, mode=mode, layout="channels_last")
        yield s.case(s.ints(4, 2, 3), block=2, name="no batch")
        yield s.case(s.floats(1, 3, 2, 2), block=2, name="channels", error=ShapeError)
        yield s.case(s.floats(1, 3, 2, 2), block=0, name="block", error=AttributeValueError)


def _to_space(shape: Shape, block: int, mode: DepthMode, layout: Layout) -> tuple[Shape, tuple[int, ...], Shape]:
    lead, c, h, w = _image(shape, layout, "depth_to_space")
    inner, outer = _TO_SPACE[layout, mode]
    depth = floordiv(c, block * block)
    sizes: dict[str, Dim] = {"i": block, "j": block, "c": depth, "h": h, "w": w}
    split = (*lead, *(sizes[k] for k in inner))
    return split, _perm(lead, [inner.index(k) for k in outer]), _image_shape(lead, depth, h * block, w * block, layout)


@op
class SpaceToDepth:
    """Blocks of block x block pixels moved into channels: the inverse of depth_to_space with the same attributes."""

    inputs = ("x: any",)
    block: int
    mode: DepthMode = "DCR"
    layout: Layout = "channels_first"

    @staticmethod
    def infer(x: TensorType, block: int, mode: str, layout: Layout) -> TensorType:
        lead, c, h, w = _image(x.shape, layout, "space_to_depth")
        if block < 1:
            raise AttributeValueError(f"space_to_depth: block {block} must be at least 1")
        for size in (h, w):
            require_same(mod(size, block), 0, f"space_to_depth: size {size} is a multiple of {block}")
        return x.with_shape(_image_shape(lead, c * block * block, floordiv(h, block), floordiv(w, block), layout))

    @staticmethod
    def evaluate(x: Array, block: int, mode: DepthMode, layout: Layout) -> Array:
        split, perm, shape = _to_depth(x.shape, block, mode, layout)
        return x.reshape(split).transpose(perm).reshape(shape)

    @staticmethod
    def decompose(b: Builder, x: Value, block: int, mode: DepthMode, layout: Layout) -> Value:
        split, perm, shape = _to_depth(x.type.shape, block, mode, layout)
        return b.reshape(b.transpose(b.reshape(x, shape=split), perm=perm), shape=shape)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for mode in ("DCR", "CRD"):
            for block in (1, 2, 3):
                yield s.case(s.floats(2, 3, 2 * block, block), block=block, mode=mode)
                yield s.case(s.floats(2, 2 * block, block, 3), block=block, mode=mode, layout="channels_last")
        yield s.case(s.ints(3, 2, 4), block=2, name="no batch")
        yield s.case(s.floats(1, 3, 3, 2), block=2, name="size", error=ShapeError)


def _to_depth(shape: Shape, block: int, mode: DepthMode, layout: Layout) -> tuple[Shape, tuple[int, ...], Shape]:
    lead, c, h, w = _image(shape, layout, "space_to_depth")
    inner, outer = _TO_SPACE[layout, mode]
    rows, cols = floordiv(h, block), floordiv(w, block)
    sizes: dict[str, Dim] = {"i": block, "j": block, "c": c, "h": rows, "w": cols}
    split = (*lead, *(sizes[k] for k in outer))
    return (
        split,
        _perm(lead, [outer.index(k) for k in inner]),
        _image_shape(lead, c * block * block, rows, cols, layout),
    )


@op
class Unfold:
    """All windows of `size` elements along `axis`, every `step`; the elements of a window form a new last axis
    (torch.Tensor.unfold)."""

    inputs = ("x: any",)
    axis: int
    size: int
    step: int

    @staticmethod
    def infer(x: TensorType, axis: int, size: int, step: int) -> TensorType:
        axis = normalize_axis(axis, x.rank)
        if size < 0 or step < 1:
            raise AttributeValueError(f"unfold: size {size} must not be negative, step {step} must be positive")
        n = x.shape[axis]
        if isinstance(n, int) and size > n:
            raise ShapeError(f"unfold: windows of {size} do not fit axis {axis} of {x}")
        require_same(dim_max(n, size), n, f"unfold: windows of {size} fit axis {axis}")
        return x.with_shape((*x.shape[:axis], floordiv(n - size, step) + 1, *x.shape[axis + 1 :], size))

    @staticmethod
    def evaluate(x: Array, axis: int, size: int, step: int) -> Array:
        axis = normalize_axis(axis, x.ndim)
        if size > x.shape[axis]:
            raise ShapeError(f"unfold: windows of {size} do not fit axis {axis} of sizes {list(x.shape)}")
        starts = np.arange((x.shape[axis] - size) // step + 1) * step
        return np.moveaxis(np.take(x, starts[:, None] + np.arange(size), axis), axis + 1, -1)

    @staticmethod
    def decompose(b: Builder, x: Value, axis: int, size: int, step: int) -> Value:
        axis = normalize_axis(axis, x.type.rank)
        count = floordiv(x.type.shape[axis] - size, step) + 1
        starts = b.mul(b.reshape(b.arange(start=0, stop=count, step=1, dtype=dtypes.int64), shape=(count, 1)), step)
        places = b.add(starts, b.arange(start=0, stop=size, step=1, dtype=dtypes.int64))
        return b.transpose(b.gather(x, places, axis=axis, neg="invalid"), perm=moved_last(x.type.rank + 1, axis + 1))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for axis, size, step in ((0, 2, 1), (1, 3, 2), (-1, 5, 1), (1, 1, 3), (0, 4, 2)):
            yield s.case(s.floats(4, 7, 5), axis=axis, size=size, step=step)
        yield s.case(s.ints(6), axis=0, size=2, step=2)
        yield s.case(s.ints(6), axis=0, size=7, step=2, name="too large", error=ShapeError)
        yield s.case(s.ints(6), axis=0, size=2, step=0, name="step", error=AttributeValueError)
