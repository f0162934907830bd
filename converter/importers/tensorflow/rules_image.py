"""Colours of images, [..., channels], and pieces of images at another size."""

from __future__ import annotations

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import Dim, dtypes


@rule("AdjustContrastv2")
def adjust_contrast(c: TensorflowContext) -> Value:
    """Distances from each channel's mean times the factor."""
    b, x = c.b, _single(c)
    rank = x.type.rank
    mean = b.reduce_mean(x, axes=(rank - 3, rank - 2), keepdims=True)
    return b.add(b.mul(b.sub(x, mean), c.x(1)), mean)


def _single(c: TensorflowContext) -> Value:
    if c.type(0).dtype != dtypes.float32:
        c.refuse(f"{c.type(0).dtype}, which devices round in different places", "cast to float32")
    return c.x(0)


# -- hue, saturation and value ------------------------------------------------------------------------------------------
def _channels(c: TensorflowContext, x: Value) -> list[Value]:
    if x.type.shape[-1] != 3:
        c.refuse(f"colours of {x.type.shape[-1]} channels", "give three channels")
    return [c.b.select(x, axis=-1, index=i) for i in range(3)]


def _quotient(c: TensorflowContext, x: Value, y: Value) -> Value:
    """x / y where y is above 0, else 0."""
    b = c.b
    above = b.greater(y, 0.0)
    return b.where(above, b.div(x, b.where(above, y, 1.0)), 0.0)


def _hue(c: TensorflowContext, x: Value) -> tuple[Value, Value, Value]:
    """The hue in [0, 1), the largest and the smallest channel."""
    b = c.b
    red, green, blue = _channels(c, x)
    most, least = (f(x, axes=(x.type.rank - 1,), keepdims=False) for f in (b.reduce_max, b.reduce_min))
    unit = _quotient(c, b.full(shape=most.type.shape, value=1.0, dtype=x.type.dtype), b.mul(b.sub(most, least), 6.0))
    places = (
        b.mul(unit, b.sub(green, blue)), b.add(b.mul(unit, b.sub(blue, red)), 2.0 / 6), b.add(b.mul(unit, b.sub(red, green)), 4.0 / 6),
    )  # fmt: skip
    hue = b.where(b.equal(red, most), places[0], b.where(b.equal(green, most), places[1], places[2]))
    hue = b.where(b.greater(b.sub(most, least), 0.0), hue, 0.0)
    return b.where(b.less(hue, 0.0), b.add(hue, 1.0), hue), most, least


def _coloured(c: TensorflowContext, hue: Value, most: Value, least: Value) -> Value:
    """The colour of a hue between the largest and the smallest channel."""
    b = c.b
    turn = b.mul(hue, 6.0)
    shares = (
        b.sub(b.abs(b.sub(turn, 3.0)), 1.0), b.sub(2.0, b.abs(b.sub(turn, 2.0))), b.sub(2.0, b.abs(b.sub(turn, 4.0))),
    )  # fmt: skip
    span = b.sub(most, least)
    return b.stack([b.add(least, b.mul(span, b.clip(s, 0.0, 1.0))) for s in shares], axis=-1)


@rule("RGBToHSV")
def rgb_to_hsv(c: TensorflowContext) -> Value:
    hue, most, least = _hue(c, c.x())
    return c.b.stack([hue, _quotient(c, c.b.sub(most, least), most), most], axis=-1)


@rule("HSVToRGB")
def hsv_to_rgb(c: TensorflowContext) -> Value:
    hue, saturation, value = _channels(c, c.x())
    return _coloured(c, hue, value, c.b.mul(c.b.sub(1.0, saturation), value))


@rule("AdjustSaturation")
def adjust_saturation(c: TensorflowContext) -> Value:
    """Times a factor, kept in [0, 1]."""
    b, x = c.b, _single(c)
    hue, most, least = _hue(c, x)
    saturation = b.clip(b.mul(_quotient(c, b.sub(most, least), most), c.x(1)), 0.0, 1.0)
    return _coloured(c, hue, most, b.mul(b.sub(1.0, saturation), most))


@rule("AdjustHue")
def adjust_hue(c: TensorflowContext) -> Value:
    """Moved round the circle; the largest and the smallest channel stay."""
    b, x = c.b, _single(c)
    hue, most, least = _hue(c, x)
    return _coloured(c, b.mod(b.add(hue, c.x(1)), 1.0), most, least)


# -- pieces -------------------------------------------------------------------------------------------------------------
@rule("CropAndResize")
def crop_and_resize(c: TensorflowContext) -> Value:
    """Boxes (y1, x1, y2, x2) of one image each, corners on corners, in float32; a place outside gives a fixed value."""
    b = c.b
    image, boxes = c.cast(c.x(0), dtypes.float32), c.x(1)
    sizes = c.dims(3, "the size of the pieces")
    linear = c.only("method", "bilinear", "nearest") == "bilinear"
    places, inside = [], []
    for i, size in enumerate(sizes):
        place, seen = _places(c, boxes, i, size, image.type.shape[1 + i])
        places.append(place)
        inside.append(seen)
    valid = b.and_(b.unsqueeze(inside[0], axes=(2,)), b.unsqueeze(inside[1], axes=(1,)))
    if linear:
        found = _between(c, image, places)
    else:
        found = _read(c, image, [b.floor(b.add(p, 0.5)) for p in places])
    return b.where(b.unsqueeze(valid, axes=(3,)), found, float(c.attr("extrapolation_value")))


def _places(c: TensorflowContext, boxes: Value, i: int, size: Dim, have: Dim) -> tuple[Value, Value]:
    """Where the elements of the pieces lie along a spatial axis, and whether that is in the image: both [boxes, size]."""
    b, one = c.b, dtypes.float32
    if not isinstance(size, int):
        c.refuse("pieces of a size that only the run knows", "fix the size of the pieces")
    start, end = (b.unsqueeze(b.select(boxes, axis=1, index=k), axes=(1,)) for k in (i, i + 2))
    last = b.cast(b.dim(size=have - 1), to=one)
    if size > 1:
        step = b.div(b.mul(b.sub(end, start), last), float(size - 1))
        place = b.add(b.mul(start, last), b.mul(step, b.arange(start=0, stop=size, step=1, dtype=one)))
    else:
        place = b.mul(b.mul(b.add(start, end), 0.5), last)
    return place, b.and_(b.greater_equal(place, 0.0), b.less_equal(place, last))


def _between(c: TensorflowContext, image: Value, places: list[Value]) -> Value:
    """Between four elements."""
    b = c.b
    lows, highs = [b.floor(p) for p in places], [b.ceil(p) for p in places]
    down, right = (b.sub(p, low) for p, low in zip(places, lows, strict=True))
    down, right = b.unsqueeze(down, axes=(2, 3)), b.unsqueeze(right, axes=(1, 3))

    def row(y: Value) -> Value:
        left, other = _read(c, image, [y, lows[1]]), _read(c, image, [y, highs[1]])
        return b.add(left, b.mul(b.sub(other, left), right))

    top, bottom = row(lows[0]), row(highs[0])
    return b.add(top, b.mul(b.sub(bottom, top), down))


def _read(c: TensorflowContext, image: Value, at: list[Value]) -> Value:
    """The elements at rows [boxes, ys] and columns [boxes, xs] of each box's image; an image that is not there is an error."""
    b, kind = c.b, dtypes.int64
    _, height, width, channels = image.type.shape
    rows, columns = (
        b.cast(b.clip(a, b.constant(0.0, dtypes.float32), b.cast(b.dim(size=n - 1), to=dtypes.float32)), to=kind)
        for a, n in zip(at, (height, width), strict=True)
    )
    first = b.mul(b.unsqueeze(c.cast(c.x(2), kind), axes=(1,)), b.dim(size=height))
    flat = b.mul(b.unsqueeze(b.add(first, rows), axes=(2,)), b.dim(size=width))
    flat = b.add(flat, b.unsqueeze(columns, axes=(1,)))
    pixels = b.reshape(image, shape=(image.type.shape[0] * height * width, channels))
    return b.gather(pixels, flat, axis=0, bounds="error", neg="invalid")
