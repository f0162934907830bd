"""Images at another size, [batch, height, width, channels]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from converter.importers import filters
from converter.importers.partial.values import Ref, Stored
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.data import Array
from ir.ops.resize import Coordinates, nearest_picks
from ir.types import Dim, dtypes, type_of

AXES = (1, 2)


def _coordinates(c: TensorflowContext) -> Coordinates:
    """Where new elements lie; `align_corners` of one element is at 0, as the others are."""
    corners, half = c.attr("align_corners"), c.attr("half_pixel_centers")
    if corners and half:
        c.refuse("both align_corners and half_pixel_centers, which TensorFlow refuses")
    return "align_corners" if corners else "half_pixel" if half else "asymmetric"


def _sizes(c: TensorflowContext) -> tuple[Dim, ...]:
    sizes = c.dims(1, "the new size")
    if len(sizes) != 2:
        c.refuse(f"a new size of {len(sizes)} numbers")
    return sizes


@rule("ResizeBilinear")
def bilinear(c: TensorflowContext) -> Value:
    """Between two elements each way, in float32."""
    image = c.cast(c.x(), dtypes.float32)
    return c.b.resize(image, sizes=_sizes(c), mode="linear", coordinates=_coordinates(c), layout="channels_last")


@rule("ResizeNearestNeighbor")
def nearest(c: TensorflowContext) -> Value:
    """One element each way, at places computed in float32: floor, or with `align_corners` the nearest (halves go up)."""
    x, sizes, coordinates = c.x(), _sizes(c), _coordinates(c)
    if coordinates != "align_corners":
        return c.b.resize(
            x, sizes=sizes, mode="nearest", coordinates=coordinates, nearest="quotient", layout="channels_last"
        )
    if all(_exact(x.type.shape[a], n) for a, n in zip(AXES, sizes, strict=True)):
        return c.b.resize(
            x, sizes=sizes, mode="nearest", coordinates=coordinates, nearest="round_prefer_ceil", layout="channels_last"
        )
    for axis, want in zip(AXES, sizes, strict=True):
        x = c.b.gather(x, _picks(c, x.type.shape[axis], want), axis=axis, bounds="unchecked")
    return x


def _rounded(have: int, want: int) -> np.ndarray:
    at = np.arange(want, dtype=np.float32) * filters.step(have, want, True)
    return np.minimum(np.trunc(at + np.float32(0.5)), have - 1).astype(np.int64)


def _exact(have: Dim, want: Dim) -> bool:
    """Whether float32 picks what exact coordinates do."""
    if not isinstance(have, int) or not isinstance(want, int) or not have:
        return False
    return bool((_rounded(have, want) == nearest_picks(have, want, None, "align_corners", "round_prefer_ceil", 2)).all())


def _picks(c: TensorflowContext, have: Dim, want: Dim) -> Value:
    """Positions of the nearest elements with `align_corners`, as float32 computes them."""
    b, one = c.b, dtypes.float32
    if isinstance(have, int) and isinstance(want, int):
        return b.constant(_rounded(have, want))
    old, new = (b.cast(b.dim(size=n), to=one) for n in (have, want))
    wide = b.div(b.sub(old, 1.0), b.maximum(b.sub(new, 1.0), 1.0))
    scale = b.where(b.greater(new, 1.0), wide, b.div(old, b.maximum(new, 1.0)))
    at = b.mul(b.arange(start=0, stop=want, step=1, dtype=one), scale)
    return b.cast(b.minimum(b.floor(b.add(at, 0.5)), b.sub(old, 1.0)), to=dtypes.int64)


# -- by matrices --------------------------------------------------------------------------------------------------------
@rule("ResizeBicubic")
def bicubic(c: TensorflowContext) -> Value:
    """Between four elements each way, by weights from a table of 1024 rows."""
    coordinates = _coordinates(c)
    return _by_matrices(
        c, lambda have, want, _: filters.tabled(have, want, coordinates == "align_corners", coordinates == "half_pixel")
    )


@rule("ResizeArea")
def area(c: TensorflowContext) -> Value:
    """The mean of what lies under each new element."""
    corners = c.attr("align_corners")
    return _by_matrices(c, lambda have, want, _: filters.overlaps(have, want, corners))


@rule("ScaleAndTranslate")
def scale_and_translate(c: TensorflowContext) -> Value:
    """A filter around scaled and moved places, widened with `antialias` where the image shrinks."""
    kernel, radius = filters.KERNELS[c.only("kernel_type", *filters.KERNELS)]
    scale, shift = (
        c.fixed(i, what).astype(np.float32).reshape(-1) for i, what in ((2, "a scale"), (3, "a translation"))
    )
    antialias = bool(c.attr("antialias"))
    return _by_matrices(
        c, lambda have, want, i: filters.spans(have, want, scale[i], shift[i], kernel, radius, antialias)
    )


def _by_matrices(c: TensorflowContext, matrix: Callable[[int, int, int], np.ndarray]) -> Value:
    """Both axes, each by a constant matrix of its two sizes, in float32."""
    value = c.cast(c.x(), dtypes.float32)
    for i, (axis, want) in enumerate(zip(AXES, _sizes(c), strict=True)):
        have = value.type.shape[axis]
        if not isinstance(have, int) or not isinstance(want, int):
            c.refuse("images of open size, by a filter whose weights depend on it", "fix the size of the images")
        if not have:
            c.refuse("images without elements")
        array = matrix(have, want, i).astype(np.float32)
        ref = Ref(type_of(array), stored=Stored(f"{c.node.name}/filter_{i}", Array(array)))
        value = filters.along(c.b, value, axis, c.value(ref))
    return value
