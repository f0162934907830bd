"""Resizing whose factors, or whose region, only the run knows: each axis is sampled at coordinates made in the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.importers.onnx.context import OnnxContext
from ir.core import Value
from ir.types import Dim, dtypes, same, symbol

CROP = "tf_crop_and_resize"


def scaled_sizes(c: OnnxContext, axes: Sequence[int], scales: Value) -> list[Dim]:
    """floor(size * factor), each bound to a size that the run tells."""
    b, sizes = c.b, list[Dim]()
    for i, axis in enumerate(axes):
        length = b.cast(b.dim(size=c.type().shape[axis]), to=dtypes.float32)
        name = c.importer.fresh_symbol("n")
        b.bind_dim(b.cast(b.floor(b.mul(length, b.select(scales, axis=0, index=i))), to=dtypes.int64), symbol=name)
        sizes.append(symbol(name, opaque=True))
    return sizes


def sampled(c: OnnxContext, axes: Sequence[int], places: Sequence[Value], settings: dict[str, Any]) -> Value:
    """The input at the places along each axis."""
    x = c.x()
    own = {k: settings[k] for k in ("mode", "nearest", "cubic_a", "exclude_outside")}
    own |= {} if own["mode"] == "nearest" else {"nearest": "round_prefer_floor"}
    for axis, at in zip(axes, places, strict=True):
        x = c.b.sample_axis(x, at, axis=axis, **own)
    return x


def scaled_places(
    c: OnnxContext, axes: Sequence[int], sizes: Sequence[Dim], scales: Value, coordinates: str
) -> list[Value]:
    """Where the elements lie along each axis, by ONNX's formulas for a factor."""
    b, found = c.b, []
    for i, (axis, out) in enumerate(zip(axes, sizes, strict=True)):
        scale, steps = b.select(scales, axis=0, index=i), _steps(c, out)
        if coordinates == "asymmetric":
            found.append(b.div(steps, scale))
            continue
        at = b.div(b.add(steps, 0.5), scale)
        if coordinates != "tf_half_pixel_for_nn":
            at = b.sub(at, 0.5)
        if coordinates == "pytorch_half_pixel":
            at = b.where(b.equal(b.dim(size=out), 1), 0.0, at)
        if coordinates == "half_pixel_symmetric":
            size, count = (b.cast(b.dim(size=d), to=dtypes.float32) for d in (c.type().shape[axis], out))
            share = b.div(count, b.mul(scale, size))
            at = b.add(at, b.mul(b.mul(size, 0.5), b.sub(1.0, share)))
        found.append(at)
    return found


def cropped_places(c: OnnxContext, axes: Sequence[int], sizes: Sequence[Dim], region: Value) -> list[Value]:
    """Where the elements lie within a region, whose corners are parts of each axis: starts, then ends."""
    b, found = c.b, []
    for i, (axis, out) in enumerate(zip(axes, sizes, strict=True)):
        start, end = (b.select(region, axis=0, index=k) for k in (i, len(axes) + i))
        last = b.cast(b.dim(size=c.type().shape[axis] - 1), to=dtypes.float32)
        middle = b.mul(b.mul(b.add(start, end), 0.5), last)
        if out == 1:
            found.append(b.expand(b.reshape(middle, shape=(1,)), shape=(1,)))
            continue
        gaps = b.maximum(b.dim(size=out - 1), 1)
        step = b.div(b.mul(b.sub(end, start), last), b.cast(gaps, to=dtypes.float32))
        at = b.add(b.mul(start, last), b.mul(_steps(c, out), step))
        found.append(at if isinstance(out, int) else b.where(b.equal(b.dim(size=out), 1), middle, at))
    return found


def outside(c: OnnxContext, axes: Sequence[int], places: Sequence[Value], out: Value, value: float) -> Value:
    """The result with `value` where a coordinate lies off its axis."""
    b, kept = c.b, None
    for axis, at in zip(axes, places, strict=True):
        last = b.cast(b.dim(size=c.type().shape[axis] - 1), to=dtypes.float32)
        own = b.and_(b.greater_equal(at, 0.0), b.less_equal(at, last))
        own = b.reshape(own, shape=tuple(at.type.shape[0] if a == axis else 1 for a in range(out.type.rank)))
        kept = own if kept is None else b.and_(kept, own)
    return out if kept is None else b.where(kept, out, b.constant(value, out.type.dtype))


def changing(c: OnnxContext, axes: Sequence[int], sizes: Sequence[Dim]) -> list[int]:
    """Places among `axes` of those that do not surely keep their size."""
    return [i for i, (a, n) in enumerate(zip(axes, sizes, strict=True)) if same(c.type().shape[a], n) is not True]


def _steps(c: OnnxContext, out: Dim) -> Value:
    return c.b.cast(c.b.arange(start=0, stop=out, step=1, dtype=dtypes.int64), to=dtypes.float32)
