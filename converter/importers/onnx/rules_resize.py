"""Resizing by interpolation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.importers.onnx.attributes import short
from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.resample import (
    CROP,
    changing,
    cropped_places,
    outside,
    sampled,
    scaled_places,
    scaled_sizes,
)
from converter.importers.onnx.table import rule
from ir.core import Value
from ir.types import Dim, dtypes, normalize_axes


@rule("Upsample", 7)
def upsample_attribute(c: OnnxContext) -> Value:
    return _older(c, tuple(c.attr("scales")))


@rule("Upsample", 9)
@rule("Resize", 10)
def upsample(c: OnnxContext) -> Value:
    return _older(c, _scales(c, 1))


def _older(c: OnnxContext, scales: Sequence[float]) -> Value:
    """Before Resize-11 a position is divided by its scale. Rounding down to the nearest is agreed on when enlarging."""
    mode = c.only("mode", "nearest", "linear")
    if mode == "nearest" and any(s < 1 for s in scales):
        c.refuse("shrinking by nearest neighbour is not defined before opset 11", "export the model with a newer opset")
    return _resize(c, range(c.rank()), None, scales, mode=mode, coordinates="asymmetric", nearest="floor")


@rule("Resize", 11, 13, 18, 19)
def resize(c: OnnxContext) -> Value:
    axes, policy, settings = _settings(c)
    crop = settings["coordinates"] == CROP
    given = c.dims(3, "the sizes") if c.has(3) and c.type(3).shape != (0,) else None
    if given is None and not c.has(2):
        c.refuse("neither scales nor sizes are given")
    if crop:
        if policy != "stretch" or settings.get("antialias"):
            c.refuse(f"{CROP} with antialias or keep_aspect_ratio_policy={policy} is not defined")
        return _cropped(c, axes, given, settings)
    if given is not None:
        sizes, scales = _kept_aspect(c, axes, given, policy)
        if scales is not None and settings["coordinates"] == "align_corners":
            _check_whole(c, axes, scales)
        return _resize(c, axes, sizes, scales, **settings)
    if c.const(2) is None:
        return _scaled_at_run_time(c, axes, settings)
    scales = _scales(c, 2)
    _check_change(c, axes, scales)
    if settings["coordinates"] == "align_corners":
        _check_whole(c, axes, scales)
    return _resize(c, axes, None, scales, **settings)


def _settings(c: OnnxContext) -> tuple[Sequence[int], str, dict[str, Any]]:
    """The axes resized, what to do with sizes that change the aspect, and the attributes as the IR has them."""
    modes = ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", CROP]
    modes += ["tf_half_pixel_for_nn"] if c.version < 13 else []
    modes += ["half_pixel_symmetric"] if c.version >= 19 else []
    mode = c.only("mode", "nearest", "linear", "cubic")
    coordinates = c.only("coordinate_transformation_mode", *modes)
    if coordinates != CROP:
        c.ignore("extrapolation_value")
    settings: dict[str, Any] = {
        "mode": mode, "coordinates": coordinates, "nearest": c.attr("nearest_mode"), "cubic_a": c.attr("cubic_coeff_a"),
        "exclude_outside": bool(c.attr("exclude_outside")) and mode == "cubic",
    }  # fmt: skip
    if c.version < 18:
        return range(c.rank()), "stretch", settings
    axes = normalize_axes(c.attr("axes") or range(c.rank()), c.rank())
    policy = c.only("keep_aspect_ratio_policy", "stretch", "not_larger", "not_smaller")
    settings["antialias"] = bool(c.attr("antialias")) and mode != "nearest"
    settings["exclude_outside"] = bool(c.attr("exclude_outside")) and (mode == "cubic" or settings["antialias"])
    return axes, policy, settings


def _scaled_at_run_time(c: OnnxContext, axes: Sequence[int], settings: dict[str, Any]) -> Value:
    """Factors that the run tells: so are the sizes, and the places of the elements."""
    if settings.get("antialias") or settings["coordinates"] == "align_corners":
        c.refuse("its scales is computed at run time, which antialias and align_corners do not allow")
    if c.type(2).shape != (len(axes),):
        c.refuse(f"scales {c.type(2)} do not fit {len(axes)} axes")
    c.note("Resize: factors computed at run time that change no size interpolate, where ONNX Runtime copies")
    scales = c.x(2)
    sizes = scaled_sizes(c, axes, scales)
    return sampled(c, axes, scaled_places(c, axes, sizes, scales, settings["coordinates"]), settings)


def _cropped(c: OnnxContext, axes: Sequence[int], given: Sequence[Dim] | None, settings: dict[str, Any]) -> Value:
    """A region of the axes, resized; what lies off the input has `extrapolation_value`."""
    if not c.has(1) or c.type(1).shape != (2 * len(axes),):
        c.refuse(f"a region roi is needed, with a start and an end for each of {len(axes)} axes")
    if given is None:
        c.refuse(f"{CROP} with scales: ONNX's text and the runtimes give the result other sizes", "give sizes instead")
    if len(given) != len(axes):
        c.refuse(f"{len(given)} sizes do not fit {len(axes)} axes")
    still = [i for i in range(len(axes)) if i not in changing(c, axes, given)]
    whole = [i for i in still if _is_whole(c, i, len(axes))]
    if whole != still:
        c.note(f"Resize: {CROP} crops an axis whose size stays, as ONNX says; ONNX Runtime leaves it alone")
    places = cropped_places(c, axes, given, c.cast(c.x(1), dtypes.float32))
    kept = [i for i in range(len(axes)) if i not in whole]
    axes, places = [axes[i] for i in kept], [places[i] for i in kept]
    return outside(c, axes, places, sampled(c, axes, places, settings), c.attr("extrapolation_value"))


def _is_whole(c: OnnxContext, axis: int, count: int) -> bool:
    """Whether the region is known to be all of an axis."""
    roi = c.const(1)
    return roi is not None and roi[axis] == 0 and roi[count + axis] == 1


def _check_change(c: OnnxContext, axes: Sequence[int], scales: Sequence[float]) -> None:
    """Factors that round to the size there is: ONNX Runtime copies then, where the text interpolates."""
    pairs = [(c.type().shape[a], s) for a, s in zip(axes, scales)]
    if all(isinstance(n, int) and int(n * s) == n for n, s in pairs) and any(s != 1 for _, s in pairs):
        c.refuse(f"factors {tuple(scales)} that change no size are not done alike by the runtimes")


def _check_whole(c: OnnxContext, axes: Sequence[int], scales: Sequence[float]) -> None:
    """Corners align by the output size; runtimes disagree on whether that is size * scale before or after rounding."""
    for axis, scale in zip(axes, scales):
        size = c.type().shape[axis]
        if not (scale.is_integer() or (isinstance(size, int) and (size * scale).is_integer())):
            c.refuse(f"align_corners with size {size} times {scale} is not defined alike by the runtimes")


def _scales(c: OnnxContext, index: int) -> tuple[float, ...]:
    return tuple(short(float(s)) for s in c.fixed(index, "its scales").ravel())


def _kept_aspect(
    c: OnnxContext, axes: Sequence[int], sizes: tuple[Dim, ...], policy: str
) -> tuple[tuple[Dim, ...], tuple[float, ...] | None]:
    """Sizes and factors. One factor for all axes, the smallest (not_larger) or largest: it makes the sizes, rounded half
    away from zero, and the coordinates, which the rounding does not change."""
    if policy == "stretch":
        return sizes, None
    have = [c.type().shape[a] for a in axes]
    if not all(isinstance(d, int) for d in (*sizes, *have)):
        c.refuse(f"keep_aspect_ratio_policy={policy} compares factors of sizes that only the run knows")
    factors = [int(n) / int(d) for n, d in zip(sizes, have, strict=True)]
    factor = min(factors) if policy == "not_larger" else max(factors)
    return tuple(math.floor(factor * int(d) + 0.5) for d in have), (factor,) * len(have)


def _resize(
    c: OnnxContext, axes: Sequence[int], sizes: Sequence[Dim] | None, scales: Sequence[float] | None, **settings: Any
) -> Value:
    """Channels first where batch and channels stay as they are; else every axis is made a spatial one. Given both,
    `scales` say where an element lies and `sizes` how many there are."""
    x = c.x()
    full: dict[str, list[Any]] = {}
    kept = True
    for key, given, start in (("sizes", sizes, list(x.type.shape)), ("scales", scales, [1.0] * x.type.rank)):
        if given is None:
            continue
        if len(given) != len(axes):
            c.refuse(f"{len(given)} {key} do not fit {len(axes)} axes")
        full[key] = list(start)
        for axis, value in zip(axes, given, strict=True):
            full[key][axis] = value
        kept = kept and full[key][:2] == start[:2]
    if kept and x.type.rank >= 3:
        return c.b.resize(x, **{k: tuple(v[2:]) for k, v in full.items()}, **settings)
    wide = c.b.reshape(x, shape=(1, 1, *x.type.shape))
    out = c.b.resize(wide, **{k: tuple(v) for k, v in full.items()}, **settings)
    return c.b.reshape(out, shape=out.type.shape[2:])


@rule("AffineGrid", 20)
def affine_grid(c: OnnxContext) -> Value:
    """Each sample's matrix times the homogeneous coordinates (x, y, 1) or (x, y, z, 1) of the output's elements."""
    theta, align = c.x(0), bool(c.attr("align_corners"))
    sizes = c.ints(1, "the size")[2:]
    if len(sizes) not in (2, 3) or (align and 1 in sizes):
        c.refuse(f"a grid of {list(sizes)} with align_corners={int(align)} has no steps, or not 2 or 3 axes")
    steps = [np.linspace(-1, 1, n) if align else (2 * np.arange(n) + 1) / n - 1 for n in sizes]
    places = [p.ravel() for p in reversed(np.meshgrid(*steps, indexing="ij"))]
    base = c.b.constant(np.column_stack([*places, np.ones(math.prod(sizes))]), theta.type.dtype)
    flat = c.b.matmul(base, c.b.transpose(theta, perm=(0, 2, 1)))
    return c.b.reshape(flat, shape=(theta.type.shape[0], *sizes, len(sizes)))
