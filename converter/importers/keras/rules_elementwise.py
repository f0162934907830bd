"""Functions of one operand, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import doubles, floating, on_tensorflow
from converter.importers.keras.rules_indexing import backend
from converter.importers.keras.spelled import spelled
from ir.core import Value
from ir.types import dtypes

_FLOAT = {
    "Exp": "exp", "Expm1": "expm1", "Log": "log", "Log1p": "log1p", "Log2": "log2", "Log10": "log10", "Tanh": "tanh",
    "Sqrt": "sqrt", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Sinh": "sinh", "Cosh": "cosh", "Arcsin": "asin",
    "Arccos": "acos", "Arctan": "atan", "Arcsinh": "asinh", "Arccosh": "acosh", "Arctanh": "atanh", "Ceil": "ceil",
    "Floor": "floor",
}  # fmt: skip
"""Integers and booleans become floats."""
_STRICT = {"Rsqrt": "rsqrt", "Erf": "erf", "Erfc": "erfc", "Erfinv": "erfinv", "Reciprocal": "reciprocal"}
"""Defined on floats alone."""
_ANY = {"Negative": "neg"}


def _unary(name: str, op: str, floats: bool) -> None:
    def convert(c: KerasContext, _: Any, x: Any) -> Value:
        return getattr(c.b, op)(floating(c, x) if floats else c.value(x))

    rule.add(f"ops.{name}", convert, op)


for _name, _op in _FLOAT.items():
    _unary(_name, _op, True)
for _name, _op in {**_ANY, **_STRICT}.items():
    _unary(_name, _op, False)


@rule("ops.Absolute", "ops.Abs")
def absolute(c: KerasContext, _: Any, x: Any) -> Value:
    value = c.value(x)
    kind = value.type.dtype
    return value if kind.is_bool or kind.kind == "uint" else c.b.abs(value)


@rule("ops.Fabs")
def fabs(c: KerasContext, _: Any, x: Any) -> Value:
    return c.b.abs(floating(c, x))


@rule("ops.Square")
def square(c: KerasContext, _: Any, x: Any) -> Value:
    value = c.value(x)
    return c.b.square(c.cast(value, dtypes.int32) if value.type.dtype.is_bool else value)


@rule("ops.Sign")
def sign(c: KerasContext, _: Any, x: Any) -> Value:
    """Of NaN it is NaN, on torch 0."""
    return c.b.sign(c.value(x), nan="zero" if backend() == "torch" else "propagate")


@rule("ops.Signbit")
def signbit(c: KerasContext, _: Any, x: Any) -> Value:
    value = c.value(x)
    kind = value.type.dtype
    if kind.is_float:
        return c.b.signbit(value)
    if kind.is_bool:
        return same_everywhere(c, value, False)
    return c.b.less(value, c.number(0, kind))


def same_everywhere(c: KerasContext, like: Value, answer: bool) -> Value:
    """One truth value in the shape of a tensor."""
    return c.b.full(shape=like.type.shape, value=answer, dtype=dtypes.bool_)


@rule("ops.Round")
def round_(c: KerasContext, op: Any, x: Any) -> Value:
    """Halves to even; with decimals by way of a power of ten, as the backends do it."""
    value = c.value(x)
    kind, decimals = value.type.dtype, int(op.decimals)
    if not kind.is_float and decimals >= 0:
        return value
    moved = floating(c, value)
    if decimals == 0:
        return c.b.round(moved)
    factor = c.number(math.pow(10, decimals), moved.type.dtype)
    return c.cast(c.b.div(c.b.round(c.b.mul(moved, factor)), factor), kind)


@rule("ops.Trunc")
def trunc(c: KerasContext, _: Any, x: Any) -> Value:
    value = c.value(x)
    return c.b.trunc(value) if value.type.dtype.is_float else value


@rule("ops.Isfinite", "ops.Isinf", "ops.Isnan", "ops.Isneginf", "ops.Isposinf")
def classify(c: KerasContext, op: Any, x: Any) -> Value:
    """Every integer is finite."""
    value, form = c.value(x), type(op).__name__
    if not value.type.dtype.is_float:
        return same_everywhere(c, value, form == "Isfinite")
    if form in ("Isfinite", "Isnan"):
        return getattr(c.b, form.lower())(value)
    return c.b.isinf(value, positive=form != "Isneginf", negative=form != "Isposinf")


@rule("ops.Isreal")
def isreal(c: KerasContext, _: Any, x: Any) -> Value:
    value = c.value(x)
    if not value.type.dtype.is_complex:
        return same_everywhere(c, value, True)
    part = c.b.imag(value)
    return c.b.equal(part, c.number(0, part.type.dtype))


@rule("ops.Deg2rad", "ops.Rad2deg")
def degrees(c: KerasContext, op: Any, x: Any) -> Value:
    value = doubles(c, x)
    factor = math.pi / 180 if type(op).__name__ == "Deg2rad" else 180 / math.pi
    return c.b.mul(value, c.number(factor, value.type.dtype))


@rule("ops.Exp2")
def exp2(c: KerasContext, _: Any, x: Any) -> Value:
    value = floating(c, x)
    return c.b.pow(c.number(2, value.type.dtype), value)


@rule("ops.I0")
def i0(c: KerasContext, _: Any, x: Any) -> Value:
    return c.b.bessel_i0(doubles(c, x))


@rule("ops.Cbrt")
def cbrt(c: KerasContext, _: Any, x: Any) -> Value:
    value = doubles(c, x)
    root = c.b.pow(c.b.abs(value), c.number(1 / 3, value.type.dtype))
    return c.b.mul(c.b.sign(value), root)


@spelled("ops.Sinc")
def sinc(_: Any, x: Any) -> Any:
    from keras import ops

    x = ops.multiply(x, 1.0) if "float" not in x.dtype else x
    at = ops.multiply(x, np.array(math.pi) if x.dtype == "float64" else math.pi)  # a plain number is float32 on torch
    return ops.where(ops.equal(x, 0), 1.0, ops.divide(ops.sin(at), at))


@rule("ops.NanToNum")
def nan_to_num(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    kind = value.type.dtype
    if kind.is_complex:
        c.refuse("NaN among complex numbers")
    if not kind.is_float:
        return value
    value = c.b.where(c.b.isnan(value), c.number(op.nan, kind), value)
    high = kind.max if op.posinf is None else op.posinf
    value = c.b.where(c.b.isinf(value, negative=False), c.number(high, kind), value)
    low = kind.min if op.neginf is None else op.neginf
    return c.b.where(c.b.isinf(value, positive=False), c.number(low, kind), value)


# -- complex numbers ----------------------------------------------------------------------------------------------------
@rule("ops.Conjugate", "ops.Conj")
def conjugate(c: KerasContext, _: Any, x: Any) -> Value:
    value = c.value(x)
    return c.b.conj(value) if value.type.dtype.is_complex else value


@rule("ops.Real")
def real(c: KerasContext, _: Any, x: Any) -> Value:
    value = c.value(x)
    return c.b.real(value) if value.type.dtype.is_complex else value


@rule("ops.Imag")
def imag(c: KerasContext, _: Any, x: Any) -> Value:
    value = c.value(x)
    if value.type.dtype.is_complex:
        return c.b.imag(value)
    return c.b.full(shape=value.type.shape, value=0, dtype=value.type.dtype)


@rule("ops.Angle")
def angle(c: KerasContext, _: Any, x: Any) -> Value:
    """Of a real number 0, or pi where it is negative."""
    value = floating(c, x)
    if value.type.dtype.is_complex:
        return c.b.angle(value)
    kind = value.type.dtype
    if backend() == "jax":
        return c.b.atan2(c.number(0, kind), value)  # pi for -0.0, too
    turned = c.b.where(c.b.less(value, c.number(0, kind)), c.number(math.pi, kind), c.number(0, kind))
    return turned if on_tensorflow() else c.b.where(c.b.isnan(value), value, turned)


@rule("ops.Polar")
def polar(c: KerasContext, _: Any, abs_: Any, angle: Any) -> Value:
    size, turn = floating(c, abs_), floating(c, angle)
    return c.b.complex(c.b.mul(size, c.b.cos(turn)), c.b.mul(size, c.b.sin(turn)))


@rule("ops.ViewAsComplex")
def view_as_complex(c: KerasContext, _: Any, x: Any) -> Value:
    value = c.value(x)
    axis = value.type.rank - 1
    return c.b.complex(*(c.b.select(value, axis=axis, index=i) for i in (0, 1)))


@rule("ops.ViewAsReal")
def view_as_real(c: KerasContext, _: Any, x: Any) -> Value:
    value = c.value(x)
    return c.b.stack([c.b.real(value), c.b.imag(value)], axis=value.type.rank)
