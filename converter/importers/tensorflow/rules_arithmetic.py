"""Arithmetic of several operands."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import numel

_BINARY = {
    "Add": "add", "AddV2": "add", "Sub": "sub", "Mul": "mul", "RealDiv": "div", "Pow": "pow", "Maximum": "maximum",
    "Minimum": "minimum", "Mod": "fmod", "TruncateMod": "fmod", "FloorMod": "mod", "Atan2": "atan2",
}  # fmt: skip


def _binary(name: str) -> Callable[[TensorflowContext], Value]:
    return lambda c: getattr(c.b, name)(c.x(0), c.x(1))


for _op, _name in _BINARY.items():
    rule.add(_op, _binary(_name), _name)


@rule("Div", "TruncateDiv")
def div(c: TensorflowContext) -> Value:
    """Integers divide towards zero; floats truly, or truncated."""
    x, y = c.x(0), c.x(1)
    if x.type.dtype.is_integer:
        return c.b.trunc_div(x, y)
    quotient = c.b.div(x, y)
    return quotient if c.op == "Div" else c.b.trunc(quotient)


@rule("FloorDiv")
def floor_div(c: TensorflowContext) -> Value:
    """Of floats the floor of the rounded quotient: 55 of 5.5 and 0.1 in float32."""
    x, y = c.x(0), c.x(1)
    return c.b.floor_div(x, y) if x.type.dtype.is_integer else c.b.floor(c.b.div(x, y))


@rule("MulNoNan")
def mul_no_nan(c: TensorflowContext) -> Value:
    """0 where the second factor is, whatever the first."""
    x, y = c.x(0), c.x(1)
    return c.b.where(c.b.equal(y, 0), _zero(c, x), c.b.mul(x, y))


@rule("DivNoNan")
def div_no_nan(c: TensorflowContext) -> Value:
    """0 where the divisor is."""
    x, y = c.x(0), c.x(1)
    none = c.b.equal(y, 0)
    return c.b.where(none, _zero(c, x), c.b.div(x, c.b.where(none, _one(c, y), y)))


@rule("Xdivy", "Xlogy", "Xlog1py")
def unless_zero(c: TensorflowContext) -> Value:
    """0 where the first operand is, whatever the second."""
    x, y = c.x(0), c.x(1)
    none = c.b.equal(x, 0)
    safe = c.b.where(none, _one(c, y), y)
    if c.op == "Xdivy":
        found = c.b.div(x, safe)
    else:
        found = c.b.mul(x, c.b.log(safe) if c.op == "Xlogy" else c.b.log1p(safe))
    return c.b.where(none, _zero(c, x), found)


def _zero(c: TensorflowContext, like: Value) -> Value:
    return c.b.constant(np.zeros((), like.type.dtype.numpy))


def _one(c: TensorflowContext, like: Value) -> Value:
    return c.b.constant(np.ones((), like.type.dtype.numpy))


@rule("SquaredDifference")
def squared_difference(c: TensorflowContext) -> Value:
    """Of complex numbers the square of the size."""
    apart = c.b.sub(c.x(0), c.x(1))
    return c.b.mul(apart, c.b.conj(apart)) if apart.type.dtype.is_complex else c.b.square(apart)


@rule("AddN", "AccumulateNV2")
def add_n(c: TensorflowContext) -> Value:
    """Tensors of one shape, added from the first to the last."""
    c.ignore("shape")
    values = c.xs()
    ranks = {v.type.rank for v in values}
    if len(ranks) > 1:
        c.refuse("tensors of several ranks, which do not broadcast here")
    return functools.reduce(c.b.add, values) if len(values) > 1 else c.b.identity(values[0])


@rule("ClipByValue")
def clip_by_value(c: TensorflowContext) -> Value:
    """The upper bound first, so that the lower wins where they cross; a bound that is NaN is none. Bounds are numbers, or
    of the tensor's shape."""
    x, low, high = c.x(0), c.x(1), c.x(2)
    if x.type.dtype.is_complex:
        c.refuse("bounds of complex numbers")
    for bound in (low, high):
        if bound.type.rank not in (0, x.type.rank) and numel(bound.type.shape) != 1:
            c.refuse(f"a bound of {bound.type} for {x.type}, which do not broadcast here")
    numbers = c.const(1), c.const(2)
    if all(n is not None and n.size == 1 for n in numbers):
        below, above = (n.reshape(()).astype(np.float64) for n in numbers if n is not None)
        if below <= above:
            return c.b.clip(x, *(c.b.constant(n.reshape(())) for n in numbers if n is not None))
    low, high = (c.b.reshape(v, shape=()) if v.type.rank > x.type.rank else v for v in (low, high))
    if not x.type.dtype.is_float:
        return c.b.maximum(c.b.minimum(x, high), low)
    found = c.b.where(c.b.greater(x, high), high, x)
    return c.b.where(c.b.less(found, low), low, found)


@rule("NextAfter")
def nextafter(c: TensorflowContext) -> Value:
    return c.b.nextafter(c.x(0), c.x(1), of=c.type().dtype)


@rule("ApproximateEqual")
def approximate_equal(c: TensorflowContext) -> Value:
    """Whether the difference is below the tolerance: of two infinities it is NaN."""
    x, y = c.x(0), c.x(1)
    kind = x.type.dtype
    tolerance = np.float32(c.attr("tolerance"))
    limit = tolerance.astype(kind.numpy)
    if kind.is_integer or kind.is_complex:
        c.refuse(f"approximate equality of {kind}", "compare with Equal")
    return c.b.less(c.b.abs(c.b.sub(x, y)), c.b.constant(np.asarray(limit)))


# -- bits ---------------------------------------------------------------------------------------------------------------
@rule("BitwiseAnd", "BitwiseOr", "BitwiseXor")
def bitwise(c: TensorflowContext) -> Value:
    return getattr(c.b, f"bitwise_{c.op.removeprefix('Bitwise').lower()}")(c.x(0), c.x(1))


@rule("Invert")
def invert(c: TensorflowContext) -> Value:
    return c.b.bitwise_not(c.x())


@rule("LeftShift", "RightShift")
def shift(c: TensorflowContext) -> Value:
    """By no less than 0 and no more than all bits but one."""
    x, y = c.x(0), c.x(1)
    known = c.const(1)
    last = x.type.dtype.bits - 1
    if known is None or (known.astype(np.int64) < 0).any() or (known.astype(np.int64) > last).any():
        y = c.b.clip(y, 0, last)
    return (c.b.shift_left if c.op == "LeftShift" else c.b.shift_right)(x, y)


@rule("L2Loss")
def l2_loss(c: TensorflowContext) -> Value:
    """Half the sum of squares."""
    return c.b.mul(c.b.reduce_sum_square(c.x(), axes=None), 0.5)


@rule("Cross")
def cross(c: TensorflowContext) -> Value:
    """The vector product over the last axis, which has three elements."""
    x, y = c.x(0), c.x(1)
    if x.type.rank != y.type.rank:
        c.refuse("vectors of several ranks, which do not broadcast here")
    axis = x.type.rank - 1

    def turned(v: Value, by: int) -> Value:
        return c.b.roll(v, shifts=(by,), axes=(axis,))

    if x.type.shape[axis] != 3:
        c.refuse(f"vectors of {x.type.shape[axis]} elements")
    return c.b.sub(c.b.mul(turned(x, -1), turned(y, 1)), c.b.mul(turned(x, 1), turned(y, -1)))
