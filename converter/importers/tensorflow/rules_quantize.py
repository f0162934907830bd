"""Rounding to as few values as some bits hold, and back, in floats and as integers."""

from __future__ import annotations

import numpy as np

from converter.importers.partial.values import Ref
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.quantised import KINDS, Quantised
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import Dim, DType, dtypes


@rule("FakeQuantWithMinMaxArgs")
def fake_quant(c: TensorflowContext) -> Value:
    low, high = (c.b.constant(float(c.attr(name)), dtypes.float32) for name in ("min", "max"))
    return _fake_quant(c, low, high)


@rule("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")
def fake_quant_of_operands(c: TensorflowContext) -> Value:
    """One range for all, or one for each of the last axis."""
    return _fake_quant(c, c.x(1), c.x(2))


def _fake_quant(c: TensorflowContext, low: Value, high: Value) -> Value:
    """Whole steps from a range moved so that 0 is one of them; 0 where the range is empty at 0."""
    b, x = c.b, c.x(0)
    first, last = float(bool(c.attr("narrow_range"))), float(2 ** int(c.attr("num_bits")) - 1)
    none = b.and_(b.equal(low, 0.0), b.equal(high, 0.0))
    scale = b.div(b.sub(b.where(none, 1.0, high), low), last - first)
    start = b.sub(first, b.div(low, scale))
    zero = b.where(
        b.less(start, first), first, b.where(b.greater(start, last), last, b.floor(b.add(start, 0.5)))
    )  # of positive numbers: halves go up
    least, most = b.mul(b.sub(first, zero), scale), b.mul(b.sub(last, zero), scale)
    per_unit = b.div(1.0, scale)
    at = b.floor(b.add(b.mul(b.neg(least), per_unit), 0.5))
    steps = b.sub(b.mul(b.sub(b.minimum(b.maximum(x, least), most), least), per_unit), at)
    return b.where(none, 0.0, b.mul(b.floor(b.add(steps, 0.5)), scale))


@rule("QuantizeAndDequantize", "QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4")
def quantize_and_dequantize(c: TensorflowContext) -> Value:
    """Whole steps of one size round 0, chosen so that the wider side of the range, given or the operand's, fits."""
    b, x, old = c.b, c.x(0), c.op == "QuantizeAndDequantize"
    axis, narrow = (-1, False) if old else (int(c.attr("axis")), bool(c.attr("narrow_range")))
    bits = c.ints(3, "the number of bits")[0] if c.op == "QuantizeAndDequantizeV3" else int(c.attr("num_bits"))
    rounds = not old and c.op != "QuantizeAndDequantizeV3"
    even = not rounds or c.only("round_mode", "HALF_TO_EVEN", "HALF_UP") == "HALF_TO_EVEN"
    signed, given = (bool(c.attr(n)) for n in ("signed_input", "range_given"))
    if x.type.dtype not in (dtypes.float32, dtypes.float64):
        c.refuse(f"rounding of {x.type.dtype} to a number of steps", "cast to float32")
    if not 1 <= bits <= 62:
        c.refuse(f"{bits} bits")
    if given and axis >= 0:
        c.refuse("a range for each slice, which TensorFlow's kernels refuse, too")
    if old:
        c.ignore("input_min", "input_max")
    if given and old:
        low, high = (b.constant(float(c.attr(n)), x.type.dtype) for n in ("input_min", "input_max"))
    elif given:
        low, high = c.x(1), c.x(2)
    else:
        others = tuple(a for a in range(x.type.rank) if a != axis)
        low, high = (f(x, axes=others, keepdims=False) for f in (b.reduce_min, b.reduce_max))
    if axis >= 0:
        low, high = (_spread(c, v, axis, x.type.rank) for v in (low, high))
    first, last = (-(2.0 ** (bits - 1)) + narrow, 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)
    scale, unit, low, high = _steps(c, low, high, first, last)
    bounded = b.minimum(b.maximum(x, low), high) if given else x
    steps = b.mul(bounded, scale)
    return b.mul(b.round(steps) if even else b.floor(b.add(steps, 0.5)), unit)


def _steps(c: TensorflowContext, low: Value, high: Value, first: float, last: float) -> tuple[Value, ...]:
    """How many steps a unit has, how large one is, and the range that they cover."""
    b = c.b
    big = float(low.type.dtype.max)

    def count(end: Value, step: float) -> Value:
        fits = b.greater(b.mul(end, step), 0.0)
        return b.where(fits, b.div(step, b.where(fits, end, 1.0)), big)

    below, above = count(low, first), count(high, last)
    lower = b.less(below, above)
    unit_below = b.div(low, first) if first else b.mul(low, 0.0)
    unit = b.where(lower, unit_below, b.div(high, last)) if last else unit_below
    return (
        b.where(lower, below, above), unit,
        b.where(lower, low, b.mul(unit, first)), b.where(lower, b.mul(unit, last), high),
    )  # fmt: skip


def _spread(c: TensorflowContext, values: Value, axis: int, rank: int) -> Value:
    """A number for each slice along an axis, beside axes of size 1."""
    shape: list[Dim] = [1] * rank
    shape[axis] = values.type.shape[0]
    return c.b.reshape(values, shape=tuple(shape))


# -- integers and the range that they stand for -------------------------------------------------------------------------
_BACKWARDS = "a range that ends before it starts is an error in TensorFlow; the converted model goes on"


@rule("QuantizeV2")
def quantize(c: TensorflowContext) -> list[Value | Quantised]:
    """Integers, and the range that they stand for: that given, widened to hold 0 and to be no point."""
    b, x, kind = c.b, c.x(0), KINDS[c.attr("T")]
    mode = c.only("mode", "MIN_COMBINED", "MIN_FIRST", "SCALED")
    even = c.only("round_mode", "HALF_AWAY_FROM_ZERO", "HALF_TO_EVEN") == "HALF_TO_EVEN"
    narrow, least = bool(c.attr("narrow_range")), float(c.attr("ensure_minimum_range"))
    if kind == dtypes.int32:
        c.refuse("quantising to qint32, whose largest numbers TensorFlow makes the smallest", "quantise to qint8")
    if even and mode != "SCALED":
        c.refuse(f"round_mode=HALF_TO_EVEN with mode={mode}, which TensorFlow refuses, too")
    low, high = _range(c, mode)
    size = b.maximum(b.maximum(b.abs(low), b.abs(high)), 1.0)
    low = b.minimum(low, 0.0)
    high = b.maximum(b.maximum(high, b.add(low, b.mul(size, least))), 0.0)
    if mode == "SCALED":
        low, high, steps = _scaled(c, x, low, high, kind, narrow, even)
    else:
        steps = (from_start if mode == "MIN_FIRST" else _combined)(c, x, low, high, kind)
    return [whole(c.attr("T"), b.cast(steps, to=kind)), _given(c, low), _given(c, high)]


def _combined(c: TensorflowContext, x: Value, low: Value, high: Value, kind: DType) -> Value:
    """Steps from the start of the range; those of signed integers from the middle."""
    b, count = c.b, float(kind.max - kind.min)
    steps = b.mul(b.sub(b.maximum(b.minimum(x, high), low), low), b.div(count, b.sub(high, low)))
    return round_away(c, b.sub(steps, (count + 1) / 2)) if kind.min else b.trunc(b.add(steps, 0.5))


def from_start(c: TensorflowContext, x: Value, low: Value, high: Value, kind: DType) -> Value:
    """Steps from the one at which the range starts: both rounded by themselves. A range that is a point has the step 0."""
    b, span, least = c.b, c.b.sub(high, low), float(kind.min)
    point = b.equal(span, 0.0)
    scale = b.where(point, 0.0, _ratio(c, float(kind.max - kind.min), b.where(point, 1.0, span), kind))
    first = b.sub(round_away(c, b.mul(low, scale)), least)
    most = float(kind.max) if kind.bits < 32 else 2.0**31 - 128  # the largest int32 that is a float32
    return b.clip(b.sub(round_away(c, b.mul(x, scale)), first), least, most)


def _ratio(c: TensorflowContext, x: float | Value, y: float | Value, kind: DType) -> Value:
    """x / y in float32; the number of steps of a wide type is only exact in float64."""
    if kind.bits < 32:
        return c.b.div(x, y)
    x, y = (v if isinstance(v, float) else c.b.cast(v, to=dtypes.float64) for v in (x, y))
    return c.b.cast(c.b.div(x, y), to=dtypes.float32)


def _scaled(
    c: TensorflowContext, x: Value, low: Value, high: Value, kind: DType, narrow: bool, even: bool
) -> tuple[Value, Value, Value]:
    """The range that whole steps from 0 cover, of a size that holds the wider side, and the steps."""
    b, least, most = c.b, float(kind.min + narrow), float(kind.max)
    above, below = b.greater(high, 0.0), b.less(low, 0.0)
    big = float(np.finfo(np.float32).max)
    scale = b.where(above, b.div(most, b.where(above, high, 1.0)), big)
    if least < 0:
        scale = b.minimum(b.where(below, b.div(least, b.where(below, low, 1.0)), big), scale)
    low, high = b.div(least, scale), b.div(most, scale)
    if least > 0:
        low = b.where(above, low, 0.0)  # a number too small for a processor that flushes
    steps = b.mul(b.maximum(b.minimum(x, high), low), scale)
    return low, high, b.round(steps) if even else round_away(c, steps)


@rule("Dequantize")
def dequantize(c: TensorflowContext) -> Value:
    """The numbers of a range that integers stand for."""
    b, (x, _) = c.b, c.integers(0)
    mode, to = c.only("mode", "MIN_COMBINED", "MIN_FIRST", "SCALED"), c.attr("dtype")
    kind, narrow = x.type.dtype, bool(c.attr("narrow_range"))
    if to not in (dtypes.float32, dtypes.bfloat16) or (to != dtypes.float32 and mode != "MIN_COMBINED"):
        c.refuse(f"dequantising to {to} with mode={mode}, which TensorFlow refuses, too")
    low, high = _range(c, mode, ordered=False)
    least, most = (float(np.float32(v)) for v in (kind.min, kind.max))
    found = b.cast(x, to=dtypes.float32)
    if mode == "MIN_FIRST":
        found = from_steps(c, found, low, high, kind)
    elif mode == "MIN_COMBINED":
        shifted = b.add(found, float(np.float32((most - least + 1) / 2))) if least else found
        found = b.add(b.mul(shifted, b.div(b.sub(high, low), most - least)), low)
    else:
        scale = b.div(high, most)
        if least:
            scale = b.maximum(b.div(low, float(np.float32(kind.min + narrow))), scale)
        if kind == dtypes.int32 and int(c.attr("axis")) < 0:
            found = b.where(b.greater_equal(found, most), least, found)  # as TensorFlow's kernel has it
        found = b.mul(found, scale)
    return c.cast(found, to)


def from_steps(c: TensorflowContext, x: Value, low: Value, high: Value, kind: DType) -> Value:
    """Floats that are integers of a kind as numbers of a range, whose start is rounded to whole steps."""
    b, span = c.b, c.b.sub(high, low)
    unit = _ratio(c, span, float(kind.max - kind.min), kind)
    point = b.equal(span, 0.0)
    first = b.where(point, low, b.mul(round_away(c, b.div(low, b.where(point, 1.0, unit))), unit))
    return b.add(b.sub(first, b.mul(unit, float(kind.min))), b.mul(x, unit))


# -- integers, a scale and a zero point ---------------------------------------------------------------------------------
@rule("UniformQuantize")
def uniform_quantize(c: TensorflowContext) -> Quantised:
    """Whole steps of the scale, halves up, less what stands for 0, within bounds. A number beyond int32 is its smallest."""
    b, kind = c.b, KINDS[c.attr("Tout")]
    scale, zero = (_of_slices(c, c.x(i), c.rank()) for i in (1, 2))
    steps = b.floor(b.add(b.mul(c.x(0), b.div(1.0, scale)), 0.5))
    held = b.less(b.abs(steps), 2.0**31)
    found = b.add(b.cast(b.where(held, steps, -(2.0**31)), to=dtypes.int32), zero)
    least, most = (int(c.attr(f"quantization_{end}_val")) for end in ("min", "max"))
    return whole(c.attr("Tout"), b.cast(b.clip(found, least, most), to=kind))


@rule("UniformDequantize")
def uniform_dequantize(c: TensorflowContext) -> Value:
    """The distance from what stands for 0, times the scale."""
    c.ignore("quantization_min_val", "quantization_max_val")
    x, to = c.integers(0)[0], c.only("Tout", dtypes.float32)
    scale, zero = (_of_slices(c, c.x(i), x.type.rank) for i in (1, 2))
    if x.type.dtype == dtypes.int32:  # the kernel rounds to float32 on the way, and takes the largest for the smallest
        near = c.b.cast(x, to=dtypes.float32)
        x = c.b.where(c.b.greater_equal(near, 2.0**31), -(2.0**31), near)
    return c.b.mul(c.b.cast(c.b.sub(c.b.cast(x, to=dtypes.int32), zero), to=to), scale)


def _of_slices(c: TensorflowContext, values: Value, rank: int) -> Value:
    """A number for all, or one for each slice along `quantization_axis`."""
    axis = int(c.attr("quantization_axis"))
    if values.type.rank != (axis >= 0) or axis >= rank:
        c.refuse(f"{values.type} for the slices along axis {axis} of {rank}")
    return _spread(c, values, axis, rank) if axis >= 0 else values


def round_away(c: TensorflowContext, x: Value) -> Value:
    """The nearest integer; halves go away from 0."""
    b, near = c.b, c.b.trunc(x)
    return b.where(b.greater_equal(b.abs(b.sub(x, near)), 0.5), b.add(near, b.sign(x)), near)


def whole(kind: str, values: Value) -> Quantised:
    """Integers as a tensor of a quantised type."""
    return Quantised(kind, Ref(values.type, values))


def _range(c: TensorflowContext, mode: str, ordered: bool = True) -> tuple[Value, Value]:
    """The ends of the range: two numbers, or two for each slice along an axis, beside axes of size 1."""
    axis, x = int(c.attr("axis")), c.inputs[0].ref if isinstance(c.inputs[0], Quantised) else c.ref(0)
    low, high = (c.const(i) for i in (1, 2))
    if ordered:
        if low is None or high is None:
            c.note(_BACKWARDS)
        elif np.any(high < low):
            c.refuse("a range that ends before it starts, which TensorFlow refuses, too")
    if axis < 0:
        return c.b.reshape(c.x(1), shape=()), c.b.reshape(c.x(2), shape=())
    if axis >= x.type.rank:
        c.refuse(f"axis={axis} of {x.type}")
    if mode == "MIN_FIRST":
        c.refuse("mode=MIN_FIRST with a range for each slice, which TensorFlow refuses, too")
    return _spread(c, c.x(1), axis, x.type.rank), _spread(c, c.x(2), axis, x.type.rank)


def _given(c: TensorflowContext, end: Value) -> Value:
    """An end of the range as the op gives it: one for each slice, and one number where there is but one slice."""
    count = c.type(1).shape[0] if int(c.attr("axis")) >= 0 else 1
    if not isinstance(count, int):
        c.note("a range for each slice of an axis that happens to have one slice is a number in TensorFlow")
    return c.b.reshape(end, shape=() if count == 1 else (count,))
