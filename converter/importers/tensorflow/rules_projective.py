"""Images seen through a projective map: where each new element lies in the old image, and what is there."""

from __future__ import annotations

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import Dim, dtypes

ONE = dtypes.float32


@rule("ImageProjectiveTransformV2", "ImageProjectiveTransformV3")
def projective(c: TensorflowContext) -> Value:
    """[batch, height, width, channels] by maps [batch or 1, 8]; beyond the edge lies a value, or the edge repeats."""
    b = c.b
    linear = c.only("interpolation", "NEAREST", "BILINEAR") == "BILINEAR"
    repeats = c.only("fill_mode", "CONSTANT", "NEAREST", advice="pad the image before") == "NEAREST"
    image, kind = c.x(0), c.type(0).dtype
    if kind != ONE and not (kind.is_integer and not linear):
        c.refuse(f"images of {kind}, between whose elements devices round in different places", "cast to float32")
    sizes = c.dims(2, "the size of the result")
    fill = c.x(3) if len(c.inputs) > 3 else b.constant(0.0, ONE)
    row, column, near = _places(c, sizes)
    _, height, width, _ = image.type.shape
    if repeats:
        row, column = (b.clip(v, b.constant(0.0, ONE), _last(c, n)) for v, n in ((row, height), (column, width)))
    fill = c.cast(fill, kind)
    if linear:
        found = _between(c, image, row, column, fill)
    else:
        found = _read(c, image, _rounded(c, row), _rounded(c, column), fill)
    return b.where(b.unsqueeze(near, axes=(3,)), found, fill)


def _last(c: TensorflowContext, size: Dim) -> Value:
    return c.b.cast(c.b.dim(size=size - 1), to=ONE)


def _places(c: TensorflowContext, sizes: tuple[Dim, ...]) -> tuple[Value, Value, Value]:
    """Rows and columns in the old image, and whether there are any: [batch or 1, height, width]."""
    b = c.b
    down, right = (b.arange(start=0, stop=n, step=1, dtype=ONE) for n in sizes)
    y, x = b.reshape(down, shape=(1, sizes[0], 1)), b.reshape(right, shape=(1, 1, sizes[1]))
    t = [b.unsqueeze(b.select(c.x(1), axis=1, index=i), axes=(1, 2)) for i in range(8)]

    def line(first: Value, second: Value, third: Value | float) -> Value:
        return b.add(b.add(b.mul(first, x), b.mul(second, y)), third)

    depth = line(t[6], t[7], 1.0)
    near = b.not_equal(depth, 0.0)
    whole = b.where(near, depth, 1.0)
    return b.div(line(t[3], t[4], t[5]), whole), b.div(line(t[0], t[1], t[2]), whole), near


def _rounded(c: TensorflowContext, x: Value) -> Value:
    """The nearest whole number; halves go away from 0."""
    b = c.b
    return b.mul(b.floor(b.add(b.abs(x), 0.5)), b.sign(x))


def _between(c: TensorflowContext, image: Value, row: Value, column: Value, fill: Value) -> Value:
    """Four elements, each weighed by how near it lies."""
    b = c.b
    low, left = b.floor(row), b.floor(column)
    high, right = b.add(low, 1.0), b.add(left, 1.0)

    def along(y: Value) -> Value:
        first, second = _read(c, image, y, left, fill), _read(c, image, y, right, fill)
        near, far = (b.unsqueeze(v, axes=(3,)) for v in (b.sub(right, column), b.sub(column, left)))
        return b.add(b.mul(near, first), b.mul(far, second))

    near, far = (b.unsqueeze(v, axes=(3,)) for v in (b.sub(high, row), b.sub(row, low)))
    return b.add(b.mul(near, along(low)), b.mul(far, along(high)))


def _read(c: TensorflowContext, image: Value, row: Value, column: Value, fill: Value) -> Value:
    """The elements at whole rows and columns; `fill` beyond the edge."""
    b, kind = c.b, dtypes.int64
    batch, height, width, channels = image.type.shape
    inside, flat = None, None
    for place, size in ((row, height), (column, width)):
        last = _last(c, size)
        seen = b.and_(b.greater_equal(place, 0.0), b.less_equal(place, last))
        inside = seen if inside is None else b.and_(inside, seen)
        at = b.cast(b.clip(b.where(seen, place, 0.0), b.constant(0.0, ONE), last), to=kind)
        flat = at if flat is None else b.add(b.mul(flat, b.dim(size=width)), at)
    first = b.mul(b.arange(start=0, stop=batch, step=1, dtype=kind), b.dim(size=height * width))
    pixels = b.reshape(image, shape=(batch * height * width, channels))
    found = b.gather(pixels, b.add(flat, b.reshape(first, shape=(batch, 1, 1))), axis=0, bounds="unchecked")
    assert inside is not None
    return b.where(b.unsqueeze(inside, axes=(3,)), found, fill)
