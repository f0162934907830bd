"""Rounding to as few values as some bits hold, and back, in floats."""

from __future__ import annotations

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import Dim, dtypes


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


@rule("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4")
def quantize_and_dequantize(c: TensorflowContext) -> Value:
    """Whole steps of one size round 0, chosen so that the wider side of the range, given or the operand's, fits."""
    b, x, axis = c.b, c.x(0), int(c.attr("axis"))
    if c.op == "QuantizeAndDequantizeV3":
        bits, even = c.ints(3, "the number of bits")[0], True
    else:
        bits, even = int(c.attr("num_bits")), c.only("round_mode", "HALF_TO_EVEN", "HALF_UP") == "HALF_TO_EVEN"
    signed, narrow, given = (bool(c.attr(n)) for n in ("signed_input", "narrow_range", "range_given"))
    if x.type.dtype not in (dtypes.float32, dtypes.float64):
        c.refuse(f"rounding of {x.type.dtype} to a number of steps", "cast to float32")
    if not 1 <= bits <= 62:
        c.refuse(f"{bits} bits")
    if given and axis >= 0:
        c.refuse("a range for each slice, which TensorFlow's kernels refuse, too")
    if given:
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
