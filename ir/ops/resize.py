"""Resizing images and other grids by interpolation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from ir.ops.axes import Layout, require_spatial, spatial_axes, spatial_sizes
from ir.ops.pool import adaptive_pool
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import Dim, TensorType, dtypes, floordiv

Mode = Literal["nearest", "linear", "cubic", "area"]
Coordinates = Literal[
    "half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "tf_half_pixel_for_nn", "half_pixel_symmetric"
]
Nearest = Literal["round_prefer_floor", "round_prefer_ceil", "floor", "ceil", "quotient"]

ROUND: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


@op
class Resize:
    """Samples the spatial axes of x anew, each axis by itself (ONNX Resize; torch.nn.functional.interpolate).

    Output element i lies at the input coordinate that `coordinates` gives (ONNX's formulas; the factor is the entry of
    `scales` when given, else output size / input size). `nearest` takes one element, `linear` two, `cubic` four with
    Keys' kernel of parameter `cubic_a`; elements beyond the edge repeat it, or with `exclude_outside` count nothing.
    `nearest="quotient"` is PyTorch's: floor((i + c) * q) with q = size / out or 1 / scale in float32, c 0 (asymmetric)
    or a half (half_pixel); asymmetric with two spatial axes, one that becomes as large or twice as large is copied.
    `area` averages adaptive windows and uses no coordinates. `antialias` widens the linear or cubic kernel by the
    factor when shrinking (with `exclude_outside` it is Pillow's and PyTorch's). Without `sizes` the output has
    floor(size * scale) elements. Linear on 2 or 3 axes is bilinear or trilinear.
    """

    inputs = ("x: real",)
    sizes: tuple[Dim, ...] | None = None
    scales: tuple[float, ...] | None = None
    mode: Mode = "nearest"
    coordinates: Coordinates = "half_pixel"
    nearest: Nearest = "round_prefer_floor"
    cubic_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False
    layout: Layout = "channels_first"

    @staticmethod
    def infer(
        x: TensorType,
        sizes: tuple[Dim, ...] | None,
        scales: tuple[float, ...] | None,
        mode: Mode,
        coordinates: Coordinates,
        nearest: Nearest,
        cubic_a: float,
        exclude_outside: bool,
        antialias: bool,
        layout: Layout,
    ) -> TensorType:
        spatial = require_spatial(x.shape, "resize")
        for name, values in (("sizes", sizes), ("scales", scales)):
            if values is not None and len(values) != spatial:
                raise ValueError(f"resize: {name} {values} must have one number for each of {spatial} spatial axes")
        if scales is not None and not all(0 < s < math.inf for s in scales):
            raise ValueError(f"resize: scales {scales} must be positive")
        if mode != "nearest" and not x.dtype.is_float:
            raise TypeError(f"resize: {mode} interpolation needs floats, got {x.dtype}")
        if antialias and (mode not in ("linear", "cubic") or coordinates != "half_pixel"):
            raise ValueError("resize: antialias is defined for linear and cubic modes with half_pixel coordinates")
        if exclude_outside and mode != "cubic" and not antialias:
            raise ValueError("resize: exclude_outside is defined for the cubic mode and with antialias")
        if nearest == "quotient" and coordinates not in ("asymmetric", "half_pixel"):
            raise ValueError("resize: quotient is defined for asymmetric and half_pixel coordinates")
        shape = list(x.shape)
        for axis, size in zip(
            spatial_axes(layout, x.rank), output_sizes(spatial_sizes(x.shape, layout), sizes, scales)
        ):
            if x.shape[axis] == 0 and size != 0:
                raise ValueError(f"resize: no elements to interpolate in {x}")
            shape[axis] = size
        return x.with_shape(shape)

    @staticmethod
    def evaluate(
        x: np.ndarray,
        sizes: tuple[int, ...] | None,
        scales: tuple[float, ...] | None,
        mode: Mode,
        coordinates: Coordinates,
        nearest: Nearest,
        cubic_a: float,
        exclude_outside: bool,
        antialias: bool,
        layout: Layout,
    ) -> np.ndarray:
        axes = spatial_axes(layout, x.ndim)
        out = output_sizes(spatial_sizes(x.shape, layout), sizes, scales)
        if mode == "area":
            return adaptive_pool(x, out, layout, np.mean)  # type: ignore[arg-type]
        for axis, n, scale in zip(axes, out, scales or (None,) * len(axes)):
            size, n = x.shape[axis], int(n)
            moved = np.moveaxis(x, axis, 0)
            if antialias:
                result = antialiased(moved, n, scale, mode, cubic_a, exclude_outside)
            elif mode == "nearest":
                result = moved[nearest_picks(size, n, scale, coordinates, nearest, len(axes))]
            else:
                find = source_coordinates if x.dtype == np.float64 else single_coordinates
                result = interpolated(moved, find(size, n, scale, coordinates), mode, cubic_a, exclude_outside)
            x = np.moveaxis(result, 0, axis)
        return np.ascontiguousarray(x)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        everywhere = ((0, 0), (0, 2), (0, 3))
        systems = (
            "half_pixel",
            "align_corners",
            "asymmetric",
            "pytorch_half_pixel",
            "tf_half_pixel_for_nn",
            "half_pixel_symmetric",
        )
        for coordinates, sizes in itertools.product(systems, ((7, 9), (3, 2), (1, 4), (4, 5))):
            for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
                yield s.case(s.floats(1, 2, 4, 5), sizes=sizes, coordinates=coordinates, nearest=nearest)
            yield s.case(s.floats(2, 2, 4, 5), sizes=sizes, mode="linear", coordinates=coordinates, dynamic=((0, 0),))
            for outside in (False, True):
                yield s.case(
                    s.floats(1, 2, 4, 5),
                    sizes=sizes,
                    mode="cubic",
                    coordinates=coordinates,
                    exclude_outside=outside,
                    cubic_a=-0.5 - outside / 4,
                )
        for mode, scales in itertools.product(
            ("nearest", "linear", "cubic", "area"), ((2.0, 3.0), (0.5, 1.5), (0.625, 0.75))
        ):
            yield s.case(s.floats(1, 2, 6, 5), scales=scales, mode=mode, dynamic=everywhere)
            yield s.case(
                s.floats(1, 6, 5, 2),
                scales=scales,
                mode=mode,
                coordinates="asymmetric",
                nearest="floor",
                layout="channels_last",
            )
        yield s.case(
            s.floats(1, 2, 5, 5), sizes=(3, 8), scales=(0.7, 1.7), mode="linear", coordinates="half_pixel_symmetric"
        )
        yield s.case(s.floats(1, 2, 5, 5), sizes=(3, 8), scales=(0.7, 1.7), mode="linear")
        yield s.case(s.floats(1, 2, 5, 5), scales=(0.7, 1.7), mode="linear", coordinates="half_pixel_symmetric")
        yield s.case(s.floats(1, 2, 5, 5), scales=(0.7, 1.7), mode="cubic", coordinates="half_pixel_symmetric")
        for mode, sizes in itertools.product(("linear", "cubic"), ((3, 4), (12, 5), (7, 16), (1, 1))):
            for outside in (False, True):
                yield s.case(
                    s.floats(1, 2, 7, 9), sizes=sizes, mode=mode, antialias=True, exclude_outside=outside, cubic_a=-0.5
                )
            yield s.case(
                s.floats(1, 7, 9, 2), sizes=sizes, mode=mode, layout="channels_last", coordinates="pytorch_half_pixel"
            )
        yield s.case(s.floats(1, 2, 8, 8), scales=(0.4, 0.3), mode="linear", antialias=True, exclude_outside=True)
        for sizes in ((3, 2), (7, 5), (10, 1)):
            yield s.case(s.floats(1, 2, 7, 5), sizes=sizes, mode="area")
        yield s.case(s.floats(2, 3, 6), sizes=(9,), mode="linear")
        yield s.case(s.floats(1, 2, 3, 4, 5), sizes=(4, 3, 7), mode="linear", coordinates="align_corners")
        yield s.case(s.ints(1, 2, 4, 5), sizes=(7, 3))
        yield s.case(s.ints(1, 4, 5, 3, low=0, high=200, dtype=dtypes.uint8), scales=(2.0, 2.0), layout="channels_last")
        yield s.case(s.floats(0, 2, 4, 5), sizes=(3, 3), mode="cubic")
        for coordinates, sizes in itertools.product(("asymmetric", "half_pixel"), ((7, 82), (4, 46), (2, 28), (3, 3))):
            yield s.case(s.floats(1, 2, 2, 14), sizes=sizes, coordinates=coordinates, nearest="quotient")
        for scales in ((2.0, 1.0625), (0.75, 3.0), (1.0, 2.0625)):
            for coordinates in ("asymmetric", "half_pixel"):
                yield s.case(
                    s.floats(1, 2, 5, 4), scales=scales, coordinates=coordinates, nearest="quotient", dynamic=everywhere
                )
        yield from _factor_samples(s)
        yield from _edge_samples(s)
        lines: dict[str, Any] = {"coordinates": "asymmetric", "nearest": "quotient", "name": "not copied"}
        yield s.case(s.floats(1, 2, 4), scales=(2.0625,), **lines)
        yield s.case(s.floats(1, 2, 4, 4, 3), scales=(1.0625, 2.0625, 1.5), **lines)


def _factor_samples(s: Sampler) -> Iterator[Sample]:
    """Factors by which an axis keeps its size, some of them or none; one axis, and four."""
    for size, scales in (
        ((3, 4), (1.25, 1.25)),
        ((4, 8), (1.25, 1.25)),
        ((1, 4), (1.75, 2.0)),
        ((3, 4), (1.0, 2.0)),
        ((3, 4), (1.25, 1.2)),
        ((3, 4), (1.0, 1.0)),
    ):
        yield s.case(s.floats(1, 2, *size), scales=scales, mode="linear", name="kept sizes")
    yield s.case(s.floats(1, 2, 4), scales=(2.0,), name="one axis")
    yield s.case(s.floats(1, 2, 4, 5), sizes=(0, 3), mode="linear", name="nothing left")
    whole: dict[str, Any] = {"coordinates": "asymmetric", "nearest": "floor"}
    yield s.case(s.floats(1, 2, 2, 2, 1, 3), sizes=(4, 2, 2, 6), name="four axes", **whole)


def _edge_samples(s: Sampler) -> Iterator[Sample]:
    """Empty axes, and what is refused."""
    yield s.case(s.ints(1, 2, 4, 5), sizes=(7, 3), mode="linear", error=TypeError, name="linear integers")
    yield s.case(s.floats(1, 2, 0, 5), sizes=(0, 3), name="empty axis")
    yield s.case(s.floats(1, 2, 0, 5), sizes=(1, 3), error=ValueError, name="nothing to interpolate")
    yield s.case(s.floats(1, 2, 4, 5), error=ValueError, name="no size")
    yield s.case(
        s.floats(1, 2, 4, 5),
        sizes=(3, 3),
        coordinates="align_corners",
        nearest="quotient",
        error=ValueError,
        name="quotient from corners",
    )
    yield s.case(s.floats(1, 2, 4, 5), sizes=(3,), error=ValueError, name="one size for two axes")
    yield s.case(s.floats(1, 2, 4, 5), sizes=(3, 3), antialias=True, error=ValueError, name="antialiased nearest")
    yield s.case(
        s.floats(1, 2, 4, 5),
        sizes=(3, 3),
        mode="linear",
        exclude_outside=True,
        error=ValueError,
        name="linear, excluding",
    )


def output_sizes(
    in_sizes: Sequence[Dim], sizes: tuple[Dim, ...] | None, scales: tuple[float, ...] | None
) -> tuple[Dim, ...]:
    """The spatial output sizes: as given, or floor(size * scale). Raises ValueError where neither is given."""
    if sizes is not None:
        return sizes
    if scales is None:
        raise ValueError("resize needs sizes or scales")
    return tuple(_scaled(size, scale) for size, scale in zip(in_sizes, scales))


def _scaled(size: Dim, scale: float) -> Dim:
    if isinstance(size, int):
        return math.floor(size * scale)
    exact = Fraction(scale)
    if exact.denominator > 1 << 16:
        raise ValueError(
            f"resize: floor({size} * {scale}) depends on rounding; give the sizes, or a scale such as 0.5 or 2"
        )
    return floordiv(size * exact.numerator, exact.denominator)


def source_coordinates(size: int, out: int, scale: float | None, system: Coordinates) -> np.ndarray:
    """Where each of `out` elements lies among `size` ones. Products come before quotients, so exact hits stay exact."""
    i = np.arange(out)
    if system == "align_corners":
        return i * (size - 1) / (out - 1) if out > 1 else np.zeros(out)
    if system == "pytorch_half_pixel" and out == 1:
        return np.zeros(1)
    centre = 0 if system == "asymmetric" else 0.5
    at = (i + centre) * size / out if scale is None else (i + centre) / scale
    if system in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"):
        at = at - 0.5
    if system == "half_pixel_symmetric" and scale is not None:
        at = at + size / 2 * (1 - out / (scale * size))
    return at


def single_coordinates(size: int, out: int, scale: float | None, system: Coordinates) -> np.ndarray:
    """`source_coordinates` as frameworks compute them for floats narrower than float64: in float32, by the rounded ratio.

    At position 200 they are off by some 1e-5, a hundred times what the weighted mean of float32 numbers rounds.
    """
    one = np.float32
    exact = source_coordinates(size, out, scale, system)
    if not out:
        return exact
    if system == "align_corners":
        step = one(size - 1) / one(max(out - 1, 1))
        return np.arange(out, dtype=one) * step
    step = one(size) / one(out) if scale is None else one(1.0 / scale)
    return np.arange(out, dtype=one) * step + one(exact[0])


def quotient_picks(
    size: int, out: int, scale: float | None, coordinates: Coordinates, axes: int, one: Any = np.float32
) -> np.ndarray:
    """What `nearest="quotient"` picks along one of so many axes, computed in the type `one`: at some sizes the neighbour of
    what exact coordinates pick."""
    i = np.arange(out)
    if coordinates == "asymmetric" and axes == 2 and out in (size, 2 * size):
        return i // (out // size) if size else i
    step = one(size) / one(out) if scale is None else one(1.0 / scale)
    at = i.astype(one) + one(0.0 if coordinates == "asymmetric" else 0.5)
    return np.minimum(np.floor(at * step), size - 1).astype(np.int64)


def cubic_kernel(distance: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic convolution kernel (1981) at distances up to 2, beyond which nothing is read."""
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, far)


def nearest_picks(
    size: int, out: int, scale: float | None, coordinates: Coordinates, nearest: Nearest, axes: int
) -> np.ndarray:
    """The positions of the nearest elements along one of so many axes, int64."""
    if nearest == "quotient":
        return quotient_picks(size, out, scale, coordinates, axes)
    at = source_coordinates(size, out, scale, coordinates)
    return np.clip(ROUND[nearest](at), 0, size - 1).astype(np.int64)


def interpolated(x: np.ndarray, at: np.ndarray, mode: Mode, cubic_a: float, exclude_outside: bool) -> np.ndarray:
    """`x` at coordinates along axis 0, linear or cubic."""
    last = x.shape[0] - 1
    if mode == "linear":
        at = np.clip(at, 0, last)
    low = np.floor(at)
    fraction = at - low
    if mode == "linear":
        taps, weights = np.stack([low, low + 1], axis=1), np.stack([1 - fraction, fraction], axis=1)
    else:
        steps = np.arange(-1, 3)
        taps, weights = low[:, None] + steps, cubic_kernel(fraction[:, None] - steps, cubic_a)
    if exclude_outside:
        weights = np.where((taps >= 0) & (taps <= last), weights, 0.0)
        weights = weights / weights.sum(axis=1, keepdims=True)
    index = np.clip(taps, 0, last).astype(np.int64)
    out = np.zeros((len(at), *x.shape[1:]), x.dtype)
    for tap in range(index.shape[1]):
        out += (x[index[:, tap]].T * weights[:, tap].astype(x.dtype)).T
    return out


def antialiased(
    x: np.ndarray, out: int, scale: float | None, mode: Mode, cubic_a: float, exclude_outside: bool
) -> np.ndarray:
    """`x` along axis 0 by a kernel stretched over the input elements that one output element covers."""
    if not out:
        return x[:0]
    size = x.shape[0]
    ratio = size / out if scale is None else 1 / scale
    stretch = max(ratio, 1.0)
    support = stretch * (1 if mode == "linear" else 2)
    rows = []
    for i in range(out):
        centre = (i + 0.5) * ratio
        taps = np.arange(math.floor(centre - support + 0.5), math.floor(centre + support + 0.5))
        distance = (taps + 0.5 - centre) / stretch
        weights = np.maximum(1 - np.abs(distance), 0) if mode == "linear" else cubic_kernel(distance, cubic_a)
        if exclude_outside:
            inside = (taps >= 0) & (taps < size)
            taps, weights = taps[inside], weights[inside]
        weights = (weights / weights.sum()).astype(x.dtype)
        rows.append(np.tensordot(weights, x[np.clip(taps, 0, size - 1)], axes=1))
    return np.stack(rows)
