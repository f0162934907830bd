"""Ops of object detectors, spelled out: selection of boxes, windows of features, convolutions at shifted places."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.boxes import selected
from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_conv import check_kernel, per_axis
from converter.importers.onnx.table import rule
from ir.core import Builder, Value
from ir.ops.axes import window_outputs
from ir.types import Dim, dtypes, require_same


@rule("NonMaxSuppression", 10, 11)
def non_max_suppression(c: OnnxContext) -> Value:
    """Boxes in the order of their scores, each kept unless it overlaps one kept before: rows of (sample, class, box).

    One trip a place in that order; what a kept box overlaps too much is struck out for the trips to come.
    """
    b, scores = c.b, c.x(1)
    batch, classes, count = scores.type.shape
    corners = _corners(c, c.x(0))
    able = b.full(shape=(batch, classes, count), value=True, dtype="bool")
    if c.has(4):
        able = b.greater(scores, _one(c, 4))
    limit = _one(c, 2) if c.has(2) else b.constant(0, dtypes.int64)
    threshold = _one(c, 3) if c.has(3) else b.constant(0.0, scores.type.dtype)
    order, kept = selected(b, corners, scores, able, limit, threshold)
    places = b.nonzero(kept, symbol=c.importer.fresh_symbol("count"))
    boxes = b.gather_nd(order, places)
    return b.concat(
        [b.slice(places, axes=(1,), starts=(0,), stops=(2,), steps=(1,)), b.unsqueeze(boxes, axes=(1,))], axis=1
    )


def _one(c: OnnxContext, index: int) -> Value:
    value = c.x(index)
    return c.b.reshape(value, shape=()) if value.type.rank else value


def _corners(c: OnnxContext, boxes: Value) -> Value:
    """[batch, boxes, 4] as the lower corner, then the upper one."""
    b = c.b
    first, second = (b.slice(boxes, axes=(2,), starts=(i,), stops=(i + 2,), steps=(1,)) for i in (0, 2))
    if c.only("center_point_box", 0, 1):
        half = b.div(second, 2.0)
        return b.concat([b.sub(first, half), b.add(first, half)], axis=2)
    return b.concat([b.minimum(first, second), b.maximum(first, second)], axis=2)


@rule("RoiAlign", 10, 16, 22)
def roi_align(c: OnnxContext) -> Value:
    """The mean (or maximum) over sampled places of each bin of each region, read between pixels."""
    b, x, rois = c.b, c.x(0), c.x(1)
    largest = c.only("mode", "avg", "max") == "max"
    half = (
        c.version >= 16 and c.only("coordinate_transformation_mode", "half_pixel", "output_half_pixel") == "half_pixel"
    )
    grid = c.attr("sampling_ratio")
    if grid <= 0:
        c.refuse("sampling_ratio=0 takes as many samples as a region is large, which only the run knows")
    sizes = (c.attr("output_height"), c.attr("output_width"))
    scaled = b.mul(rois, c.attr("spatial_scale"))
    scaled = b.sub(scaled, 0.5) if half else scaled
    edges = [b.unsqueeze(b.select(scaled, axis=1, index=i), axes=(1,)) for i in range(4)]
    places = []
    for start, stop, bins in ((edges[1], edges[3], sizes[0]), (edges[0], edges[2], sizes[1])):
        length = b.sub(stop, start) if half else b.maximum(b.sub(stop, start), 1.0)
        steps = b.constant((np.arange(bins * grid) + 0.5) / grid, x.type.dtype)
        places.append(b.add(start, b.mul(b.div(length, float(bins)), steps)))  # [regions, bins * grid]
    count = rois.type.shape[0]
    read = _between(c, b.transpose(x, perm=(0, 2, 3, 1)), c.x(2), places, largest)
    channels = x.type.shape[1]
    bins = b.reshape(read, shape=(count, sizes[0], grid, sizes[1], grid, channels))
    out = b.reduce_max(bins, axes=(2, 4)) if largest else b.reduce_mean(bins, axes=(2, 4))
    return b.transpose(out, perm=(0, 3, 1, 2))


def _between(c: OnnxContext, image: Value, samples: Value, places: list[Value], largest: bool) -> Value:
    """image[sample, y, x] between four pixels, at every y of `places[0]` and x of `places[1]`: [regions, ys, xs, channels].

    Beyond a pixel outside it is zero, and within that pixel the border's. `largest`: of the four weighted pixels the
    largest, as the operator's maximum is defined, in place of their sum.
    """
    b, kind = c.b, image.type.dtype
    lows, highs, parts, inside = [], [], [], []
    for place, size in zip(places, image.type.shape[1:3], strict=True):
        bound = b.cast(b.dim(size=size), to=kind)
        inside.append(b.and_(b.greater_equal(place, -1.0), b.less_equal(place, bound)))
        near = b.clip(place, b.constant(0.0, kind), b.sub(bound, 1.0))
        low = b.floor(near)
        lows.append(b.cast(low, to="int64"))
        highs.append(b.cast(b.minimum(b.add(low, 1.0), b.sub(bound, 1.0)), to="int64"))
        parts.append(b.sub(near, low))
    shape = (*places[0].type.shape, places[1].type.shape[1])
    sample = b.expand(b.unsqueeze(b.cast(samples, to="int64"), axes=(1, 2)), shape=shape)

    def pixels(ys: Value, xs: Value) -> Value:
        wide = (b.expand(b.unsqueeze(ys, axes=(2,)), shape=shape), b.expand(b.unsqueeze(xs, axes=(1,)), shape=shape))
        return b.gather_nd(image, b.stack([sample, *wide], axis=3), bounds="error", neg="invalid")

    def mixed(first: Value, second: Value, part: Value) -> Value:
        return (b.maximum if largest else b.add)(b.mul(first, b.sub(1.0, part)), b.mul(second, part))

    down, across = b.unsqueeze(parts[0], axes=(2, 3)), b.unsqueeze(parts[1], axes=(1, 3))
    upper = mixed(pixels(lows[0], lows[1]), pixels(lows[0], highs[1]), across)
    lower = mixed(pixels(highs[0], lows[1]), pixels(highs[0], highs[1]), across)
    within = b.and_(b.unsqueeze(inside[0], axes=(2, 3)), b.unsqueeze(inside[1], axes=(1, 3)))
    return b.where(within, mixed(upper, lower, down), 0.0)


@rule("MaxRoiPool", 1, 22)
def max_roi_pool(c: OnnxContext) -> Value:
    """The largest element of each bin of each region (sample, x1, y1, x2, y2 in whole pixels), 0 where a bin holds none."""
    b, x, rois = c.b, c.x(0), c.x(1)
    sample, *edges = (b.select(rois, axis=1, index=i) for i in range(5))
    left, top, right, bottom = (_whole(b, b.mul(e, c.attr("spatial_scale"))) for e in edges)
    out = b.gather(x, b.cast(sample, to="int64"), bounds="error", neg="invalid")  # [regions, channels, height, width]
    sides = zip(c.attr("pooled_shape"), (top, left), (bottom, right), strict=True)
    filled = []
    for axis, (bins, start, stop) in enumerate(sides, 2):
        place = b.cast(b.arange(start=0, stop=x.type.shape[axis], step=1, dtype="int64"), to=x.type.dtype)
        length = b.div(b.maximum(b.add(b.sub(stop, start), 1.0), 1.0), float(bins))
        parts, some = [], []
        for k in range(bins):
            low, high = b.floor(b.mul(length, float(k))), b.ceil(b.mul(length, float(k + 1)))
            low, high = (b.unsqueeze(b.add(v, start), axes=(1,)) for v in (low, high))
            within = b.and_(b.greater_equal(place, low), b.less(place, high))  # [regions, size]
            some.append(b.reduce_any(within, axes=(1,)))
            spread = b.unsqueeze(within, axes=(1, 5 - axis))
            parts.append(b.reduce_max(b.where(spread, out, -np.inf), axes=(axis,)))
        out = b.stack(parts, axis=axis)
        filled.append(b.unsqueeze(b.stack(some, axis=1), axes=(1, 5 - axis)))
    return b.where(b.and_(*filled), out, 0.0)


def _whole(b: Builder, x: Value) -> Value:
    """The nearest whole number, halves away from zero."""
    size = b.abs(x)
    down = b.trunc(size)
    return b.mul(b.sign(x), b.add(down, b.cast(b.greater_equal(b.sub(size, down), 0.5), to=x.type.dtype)))


@rule("DeformConv", 19, 22)
def deform_conv(c: OnnxContext) -> Value:
    """A convolution whose every tap reads at a place shifted by an offset, between pixels, zero outside."""
    if c.rank() != 4:
        c.refuse(f"a deformable convolution of {c.type()}, which is no batch of images, is not defined")
    check_kernel(c)
    b, weight, groups = c.b, c.x(1), c.attr("group")
    taps = _taps(c)  # [batch, channels, kernel, positions]
    batch, channels, kernel, positions = taps.type.shape
    outputs = weight.type.shape[0]
    rows = b.reshape(weight, shape=(groups, outputs // groups, channels // groups * kernel))
    columns = b.reshape(taps, shape=(batch, groups, channels // groups * kernel, positions))
    out = b.reshape(b.matmul(rows, columns), shape=(batch, outputs, *c.type(2).shape[2:]))
    return b.add(out, b.reshape(c.x(3), shape=(outputs, 1, 1))) if c.has(3) else out


def _taps(c: OnnxContext) -> Value:
    b, x, offset, share = c.b, c.x(0), c.x(2), c.attr("offset_group")
    batch, channels, height, width = x.type.shape
    window: tuple[Any, ...] = c.type(1).shape[2:]
    sizes: tuple[Dim, ...] = offset.type.shape[2:]
    if not all(isinstance(d, int) for d in (channels, *window)):
        c.refuse(f"channels and windows of {x.type} and {c.type(1)} must be known")
    kernel, positions = window[0] * window[1], sizes[0] * sizes[1]
    strides, dilations = per_axis(c, "strides", 2, 1), per_axis(c, "dilations", 2, 1)
    pads = c.attr("pads") or [0, 0, 0, 0]
    pairs = tuple(zip(pads[:2], pads[2:], strict=True))
    for have, want in zip(sizes, window_outputs((height, width), window, strides, dilations, pairs)[0], strict=True):
        require_same(have, want, "offsets and places of the window")
    shifts = b.reshape(offset, shape=(batch, share, kernel, 2, *sizes))
    places = []
    for k, shape in ((0, (window[0], 1)), (1, (1, window[1]))):
        tap = np.broadcast_to(np.arange(window[k]).reshape(shape) * dilations[k] - pads[k], window).reshape(
            kernel, 1, 1
        )
        at = b.mul(b.arange(start=0, stop=sizes[k], step=1, dtype=x.type.dtype), float(strides[k]))
        base = b.add(b.unsqueeze(at, axes=(1,)) if k == 0 else at, b.constant(tap, x.type.dtype))
        places.append(
            b.reshape(b.add(b.select(shifts, axis=3, index=k), base), shape=(batch * share, kernel * positions))
        )
    each = channels // share
    image = b.transpose(b.reshape(x, shape=(batch * share, each, height * width)), perm=(0, 2, 1))
    read = _bilinear(c, image, places, (height, width))  # [batch * share, kernel * positions, each]
    if c.has(4):
        read = b.mul(read, b.reshape(c.x(4), shape=(batch * share, kernel * positions, 1)))
    taps = b.transpose(b.reshape(read, shape=(batch, share, kernel, positions, each)), perm=(0, 1, 4, 2, 3))
    return b.reshape(taps, shape=(batch, channels, kernel, positions))


def _bilinear(c: OnnxContext, image: Value, places: list[Value], sizes: tuple[Dim, Dim]) -> Value:
    """Pixels of [n, height * width, channels] at [n, points] ys and xs, each of the four neighbours zero outside."""
    b, kind, total = c.b, image.type.dtype, None
    lows = [b.floor(p) for p in places]
    for down in (0, 1):
        for right in (0, 1):
            flat, seen, share = None, None, None
            for low, place, size, step in zip(lows, places, sizes, (down, right), strict=True):
                corner = b.add(low, float(step))
                bound = b.cast(b.dim(size=size), to=kind)
                valid = b.and_(b.greater_equal(corner, 0.0), b.less(corner, bound))
                part = b.sub(place, low)
                part = part if step else b.sub(1.0, part)
                index = b.cast(b.clip(corner, b.constant(0.0, kind), b.sub(bound, 1.0)), to="int64")
                flat = index if flat is None else b.add(b.mul(flat, b.dim(size=sizes[1])), index)
                seen = valid if seen is None else b.and_(seen, valid)
                share = part if share is None else b.mul(share, part)
            read = b.gather_nd(image, b.unsqueeze(flat, axes=(2,)), batch_dims=1, bounds="error", neg="invalid")
            piece = b.where(b.unsqueeze(seen, axes=(2,)), b.mul(read, b.unsqueeze(share, axes=(2,))), 0.0)
            total = piece if total is None else b.add(total, piece)
    assert total is not None
    return total
