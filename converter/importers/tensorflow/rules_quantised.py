"""Kernels over integers whose range lies in other tensors: what TensorFlow's tools wrote into quantised graphs.

Each follows the kernel of the CPU step by step, since a rounding more or less is another integer.
"""

from __future__ import annotations

import numpy as np

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.quantised import Quantised
from converter.importers.tensorflow.rules_quantize import from_start, from_steps, round_away, whole
from converter.importers.tensorflow.rules_shape import axis_of, reshape
from converter.importers.tensorflow.table import rule
from converter.importers.tensorflow.windows import spatial_of
from ir.core import Value
from ir.types import DType, dtypes, numel, same

Results = list["Value | Quantised"]
_LATE = "a range that TensorFlow checks when the model runs is not checked in the converted model"


def _end(c: TensorflowContext, index: int) -> Value:
    """An end of a range: one number."""
    return c.b.reshape(c.x(index), shape=()) if c.rank(index) else c.x(index)


def _ends(c: TensorflowContext, first: int) -> tuple[Value, Value]:
    return _end(c, first), _end(c, first + 1)


def _wide(c: TensorflowContext, x: Value) -> Value:
    return c.b.cast(x, to=dtypes.float64)


def _place(c: TensorflowContext, number: float, low: Value, high: Value, kind: DType) -> Value:
    """The integer that stands for a number, as int64, if it has one of its own beyond the ends; the smallest of a range
    that is a point."""
    b, count, least = c.b, 2.0**kind.bits, float(kind.min)
    span = b.sub(high, low)
    point = b.equal(span, 0.0)
    scale = b.div(count, b.mul(_wide(c, b.where(point, 1.0, span)), count / (count - 1)))
    start = round_away(c, b.mul(_wide(c, low), scale))
    found = b.sub(round_away(c, b.mul(scale, number)), start) if number else b.neg(start)
    return b.cast(b.where(point, least, b.add(found, least)), to=dtypes.int64)


def _inside(c: TensorflowContext, number: float, low: Value, high: Value, kind: DType) -> Value:
    """`_place`, kept within the type."""
    return c.b.cast(c.b.clip(_place(c, number, low, high, kind), int(kind.min), int(kind.max)), to=kind)


# -- elements -----------------------------------------------------------------------------------------------------------
@rule("QuantizedReshape")
def reshaped(c: TensorflowContext) -> Results:
    (_, name), ends = c.integers(0), _ends(c, 2)
    c.inputs[0] = c.inputs[0].ref
    return [whole(name, reshape(c)), *ends]


@rule("QuantizedRelu", "QuantizedRelu6")
def relu(c: TensorflowContext) -> Results:
    """Between the integers that stand for 0 and 6."""
    (x, name), (low, high) = c.integers(0), _ends(c, 1)
    c.only("out_type", name)
    found = c.b.maximum(x, _inside(c, 0.0, low, high, x.type.dtype))
    if c.op == "QuantizedRelu6":
        found = c.b.minimum(found, _inside(c, 6.0, low, high, x.type.dtype))
    return [whole(name, found), low, high]


@rule("QuantizedMaxPool", "QuantizedAvgPool")
def pool(c: TensorflowContext) -> Results:
    """Means are cut off towards 0. Padding does not count."""
    b, (x, name) = c.b, c.integers(0)
    if x.type.rank != 4:
        c.refuse(f"images of {x.type}, which have no 4 axes")
    window, strides = (spatial_of(c, n, "channels_last", 4) for n in ("ksize", "strides"))
    settings = {
        "window": window, "strides": strides, "dilations": (1, 1), "layout": "channels_last",
        "padding": "same_upper" if c.only("padding", "SAME", "VALID") == "SAME" else "valid",
    }  # fmt: skip
    floats = b.cast(x, to=dtypes.float32)
    if c.op == "QuantizedMaxPool":
        found = b.max_pool(floats, **settings)
    else:
        mean = b.avg_pool(floats, **settings, include_pad=False)
        less = 0.5 / (window[0] * window[1])  # than what lies between two means, and more than any rounding
        found = b.trunc(b.add(mean, b.mul(b.sign(mean), less)))
    return [whole(name, b.cast(found, to=x.type.dtype)), *_ends(c, 1)]


@rule("QuantizedConcat")
def concat(c: TensorflowContext) -> Results:
    """In a range that holds all of them, around 0 for signed integers; those that have it already stay as they are."""
    b, count = c.b, int(c.attr("N"))
    values = [c.integers(i + 1)[0] for i in range(count)]
    lows, highs = ([_end(c, k * count + i + 1) for i in range(count)] for k in (1, 2))
    low, high = lows[0], highs[0]
    for other, top in zip(lows[1:], highs[1:], strict=True):
        low, high = b.minimum(low, other), b.maximum(high, top)
    kind, name = values[0].type.dtype, c.inputs[1].kind
    if kind.min:
        high = b.maximum(b.abs(low), b.abs(high))
        low = b.neg(high)
    parts = []
    for x, start, end in zip(values, lows, highs, strict=True):
        moved = b.cast(from_start(c, _numbers(c, x, start, end), low, high, kind), to=kind)
        stays = b.and_(b.equal(start, low), b.equal(end, high))
        parts.append(b.where(stays, x, moved))
    return [whole(name, b.concat(parts, axis=axis_of(c, 0, values[0].type.rank))), low, high]


def _numbers(c: TensorflowContext, x: Value, low: Value, high: Value) -> Value:
    return from_steps(c, c.b.cast(x, to=dtypes.float32), low, high, x.type.dtype)


# -- sums and products --------------------------------------------------------------------------------------------------
@rule("QuantizedBiasAdd")
def bias_add(c: TensorflowContext) -> Results:
    """Both in a range around 0 of 2**17 times the larger, added."""
    c.only("out_type", "qint32")
    b, (x, _), (y, _) = c.b, c.integers(0), c.integers(1)
    (low, high), (least, most) = _ends(c, 2), _ends(c, 4)
    largest = b.maximum(high, b.maximum(b.neg(low), b.maximum(most, b.neg(least))))
    end = b.mul(largest, float(2**17))
    start, kind = b.neg(end), dtypes.int32
    one = b.cast(from_start(c, _numbers(c, x, low, high), start, end, kind), to=kind)
    other = b.cast(from_start(c, _numbers(c, y, least, most), start, end, kind), to=kind)
    return [whole("qint32", b.add(one, b.add(other, _inside(c, 0.0, start, end, kind)))), start, end]


def _zero(c: TensorflowContext, x: Value, low: Value, high: Value) -> Value:
    """What stands for 0 among integers of a range, as int32."""
    return c.b.cast(_place(c, 0.0, low, high, x.type.dtype), to=dtypes.int32)


def _centred(c: TensorflowContext, x: Value, low: Value, high: Value) -> Value:
    """Integers less the one that stands for 0."""
    return c.b.sub(c.b.cast(x, to=dtypes.int32), _zero(c, x, low, high))


def _product_range(c: TensorflowContext, kinds: tuple[DType, DType], first: int) -> list[Value]:
    """The range of 32-bit integers of which one is a product of two steps."""
    units = []
    for k, kind in enumerate(kinds):
        low, high = _ends(c, first + 2 * k)
        units.append(c.b.div(c.b.sub(high, low), float(kind.max - kind.min)))
    unit = c.b.mul(*units)
    return [c.b.mul(unit, -(2.0**31)), c.b.mul(unit, 2.0**31)]


@rule("QuantizedMul")
def product(c: TensorflowContext) -> Results:
    """Element by element; of two shapes one ends like the other."""
    c.only("Toutput", "qint32")
    (x, _), (y, _) = c.integers(0), c.integers(1)
    small, large = sorted((x, y), key=lambda v: v.type.rank)
    tail = large.type.shape[large.type.rank - small.type.rank :]
    if small.type.shape not in ((), (1,)) and not all(map(same, small.type.shape, tail)):
        c.refuse(
            f"a product of {x.type} and {y.type}, which TensorFlow's kernel lays out otherwise",
            "repeat the smaller one",
        )
    found = c.b.mul(_centred(c, x, *_ends(c, 2)), _centred(c, y, *_ends(c, 4)))
    return [whole("qint32", found), *_product_range(c, (x.type.dtype, y.type.dtype), 2)]


@rule("QuantizedMatMul")
def matmul(c: TensorflowContext) -> Results:
    c.only("Toutput", "qint32")
    c.ignore("Tactivation")
    _checked(c, 2)
    _checked(c, 4)
    (x, _), (y, _) = c.integers(0), c.integers(1)
    sides = []
    for k, value in enumerate((x, y)):
        side = _centred(c, value, *_ends(c, 2 + 2 * k))
        sides.append(c.b.transpose(side, perm=(1, 0)) if c.attr(f"transpose_{'ab'[k]}") else side)
    return [whole("qint32", c.b.matmul(*sides)), *_product_range(c, (x.type.dtype, y.type.dtype), 2)]


def _checked(c: TensorflowContext, first: int) -> None:
    """Whether a range is one, as far as it is known."""
    low, high = c.const(first), c.const(first + 1)
    if low is None or high is None:
        c.note(_LATE)
    elif np.any(high <= low):
        c.refuse("a range that is no more than a point, which TensorFlow refuses, too")


@rule("QuantizedConv2D")
def conv(c: TensorflowContext) -> Results:
    """Of integers less those that stand for 0, multiplied out: sums of what is stored are exact in float32."""
    b, (x, _), (filters, other) = c.b, c.integers(0), c.integers(1)
    if other != "quint8" or c.inputs[0].kind != "quint8" or c.attr("out_type") != "qint32":
        c.refuse(f"filters of {other}: a kernel of oneDNN's", "export the model before quantisation")
    if tuple(c.attr("dilations")) != (1, 1, 1, 1):
        c.refuse(f"dilations={c.attr('dilations')}, which TensorFlow refuses, too")
    zero, other_zero = (_zero(c, v, *_ends(c, k)) for v, k in ((x, 2), (filters, 4)))
    ones = b.full(shape=(1, *x.type.shape[1:]), value=1, dtype=dtypes.uint8)
    window = b.full(shape=(*filters.type.shape[:3], 1), value=1, dtype=dtypes.uint8)
    of_filters = b.mul(zero, b.sub(_sums(c, ones, filters), b.mul(other_zero, _sums(c, ones, window))))
    of_both = b.sub(_sums(c, x, filters), b.mul(other_zero, _sums(c, x, window)))
    return [whole("qint32", b.sub(of_both, of_filters)), *_product_range(c, (x.type.dtype, filters.type.dtype), 2)]


def _sums(c: TensorflowContext, x: Value, filters: Value) -> Value:
    """The convolution of bytes as int32: by so many bits of the filters at a time that float32 holds every sum."""
    b, count = c.b, numel(filters.type.shape[:3])
    if not isinstance(count, int) or 255 * count >= 2**24:
        c.refuse(f"windows of {count} numbers, whose sums no float32 holds exactly")
    bits = min(8, (2**24 // (255 * max(count, 1)) + 1).bit_length() - 1)
    settings = {
        "strides": spatial_of(c, "strides", "channels_last", 4), "dilations": (1, 1), "groups": 1, "layout": "channels_last",
        "padding": "same_upper" if c.only("padding", "SAME", "VALID") == "SAME" else "valid",
    }  # fmt: skip
    image, total = b.cast(x, to=dtypes.float32), None
    for first in range(0, 8, bits):
        part = filters if bits == 8 else b.mod(b.floor_div(filters, 2**first) if first else filters, 2**bits)
        weight = b.transpose(b.cast(part, to=dtypes.float32), perm=(3, 2, 0, 1))
        found = b.cast(b.conv(image, weight, None, **settings), to=dtypes.int32)
        found = b.mul(found, 2**first) if first else found
        total = found if total is None else b.add(total, found)
    assert total is not None
    return total


# -- fewer bits ---------------------------------------------------------------------------------------------------------
@rule("RequantizationRange")
def used_range(c: TensorflowContext) -> list[Value]:
    return list(_used(c, c.integers(0)[0], *_ends(c, 1)))


@rule("QuantizeDownAndShrinkRange")
def shrunk(c: TensorflowContext) -> Results:
    """8 bits for the range that is used."""
    (x, _), (low, high) = c.integers(0), _ends(c, 1)
    least, most = _used(c, x, low, high)
    return [_in_eight_bits(c, x, (low, high), (least, most), c.attr("out_type")), least, most]


@rule("Requantize")
def requantized(c: TensorflowContext) -> Results:
    """8 bits for the range that is asked for."""
    low, high = c.const(3), c.const(4)
    if low is None or high is None:
        c.note(_LATE)
    elif np.any(low > 0) or np.any(high < low):
        c.refuse("a range without 0, or one that ends before it starts, which TensorFlow refuses, too")
    ends = _ends(c, 3)
    return [_in_eight_bits(c, c.integers(0)[0], _ends(c, 1), ends, c.attr("out_type")), *ends]


def _used(c: TensorflowContext, x: Value, low: Value, high: Value) -> tuple[Value, Value]:
    """What the smallest integer (or 0) and the largest stand for."""
    axes = tuple(range(x.type.rank))
    least, most = (f(x, axes=axes, keepdims=False) for f in (c.b.reduce_min, c.b.reduce_max))
    return c.b.minimum(_number(c, least, low, high), 0.0), _number(c, most, low, high)


def _number(c: TensorflowContext, x: Value, low: Value, high: Value) -> Value:
    """What an int32, as the nearest float, stands for."""
    b, count = c.b, 2.0**32
    span = b.sub(high, low)
    point = b.equal(span, 0.0)
    unit = b.div(b.mul(_wide(c, b.where(point, 1.0, span)), count / (count - 1)), count)
    step = b.cast(unit, to=dtypes.float32)
    start = b.mul(round_away(c, b.div(low, step)), step)
    places = b.add(_wide(c, b.cast(x, to=dtypes.float32)), 2.0**31)
    found = b.cast(b.add(_wide(c, start), b.mul(places, unit)), to=dtypes.float32)
    return b.where(point, low, found)


def _in_eight_bits(
    c: TensorflowContext, x: Value, given: tuple[Value, Value], wanted: tuple[Value, Value], to: str
) -> Quantised:
    """int32 of one range in 8 bits of another: unsigned ones in fixed point of 16 bits."""
    b, (low, high), (start, end) = c.b, given, wanted
    if to == "qint8":
        return whole(to, b.cast(from_start(c, _numbers(c, x, low, high), start, end, dtypes.int8), to=dtypes.int8))
    if to != "quint8":
        c.refuse(f"{to} of 32 bits, for which TensorFlow has no kernel")
    span = b.sub(end, start)
    point = b.equal(span, 0.0)
    safe = b.where(point, 1.0, span)
    middle = b.mul(b.add(low, high), 0.5)

    def fixed(value: Value) -> Value:
        return b.where(point, 0, b.cast(value, to=dtypes.int64))

    scale = fixed(b.div(b.mul(_wide(c, b.sub(high, low)), 255.0 * 2**16), _wide(c, safe)))
    shift = fixed(b.mul(b.mul(middle, b.div(255.0, safe)), float(2**16)))
    first = fixed(b.div(b.mul(b.mul(_wide(c, start), 255.0), float(2**16)), _wide(c, safe)))
    steps = b.floor_div(b.mul(b.cast(x, to=dtypes.int64), scale), 2**32)
    steps = b.add(steps, b.add(b.sub(shift, first), 2**15))
    return whole(to, b.cast(b.clip(b.floor_div(steps, 2**16), 0, 255), to=dtypes.uint8))
