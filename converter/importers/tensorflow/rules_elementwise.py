"""Functions of one operand, element by element."""

from __future__ import annotations

import math
from collections.abc import Callable

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import dtypes

_UNARY = {
    "Abs": "abs", "Neg": "neg", "Exp": "exp", "Expm1": "expm1", "Log": "log", "Log1p": "log1p", "Sqrt": "sqrt",
    "Rsqrt": "rsqrt", "Reciprocal": "reciprocal", "Inv": "reciprocal", "Square": "square", "Floor": "floor",
    "Ceil": "ceil", "Rint": "round", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Asin": "asin", "Acos": "acos",
    "Atan": "atan", "Sinh": "sinh", "Cosh": "cosh", "Tanh": "tanh", "Asinh": "asinh", "Acosh": "acosh",
    "Atanh": "atanh", "Erf": "erf", "Erfc": "erfc", "Erfinv": "erfinv", "Lgamma": "lgamma", "IsNan": "isnan",
    "IsFinite": "isfinite", "IsInf": "isinf",
}  # fmt: skip


def _unary(name: str) -> Callable[[TensorflowContext], Value]:
    return lambda c: getattr(c.b, name)(c.x())


for _op, _name in _UNARY.items():
    rule.add(_op, _unary(_name), _name)


@rule("Round")
def round_(c: TensorflowContext) -> Value:
    """Halves to the even number."""
    if not c.type().dtype.is_float:
        c.refuse("rounding of integers, which the kernel turns into zeros", "leave it out: they are whole")
    return c.b.round(c.x())


@rule("Sign")
def sign(c: TensorflowContext) -> Value:
    """A complex number over its size; 0 stays."""
    x = c.x()
    if not x.type.dtype.is_complex:
        return c.b.sign(x, nan="propagate")
    size = c.b.abs(x)
    none = c.b.equal(size, 0.0)
    whole = c.b.where(none, 1.0, size)
    return c.b.complex(c.b.div(c.b.real(x), whole), c.b.div(c.b.imag(x), whole))


@rule("Digamma")
def digamma(c: TensorflowContext) -> Value:
    """NaN at 0, a pole, too."""
    x = c.x()
    return c.b.where(c.b.equal(x, 0.0), math.nan, c.b.digamma(x))


# -- complex numbers ----------------------------------------------------------------------------------------------------
@rule("Real", "Imag", "Angle")
def part(c: TensorflowContext) -> Value:
    """Of real numbers: themselves, 0, and 0 or pi."""
    c.ignore("Tout")
    return getattr(c.b, c.op.lower())(c.x())


@rule("ComplexAbs")
def complex_abs(c: TensorflowContext) -> Value:
    c.ignore("Tout")
    return c.b.abs(c.x())


@rule("Conj")
def conj(c: TensorflowContext) -> Value:
    x = c.x()
    return c.b.conj(x) if x.type.dtype.is_complex else x


@rule("Complex")
def complex_(c: TensorflowContext) -> Value:
    c.ignore("Tout")
    return c.b.complex(c.x(0), c.x(1))


@rule("ToBool")
def to_bool(c: TensorflowContext) -> Value:
    """Of a number whether it is not 0; of a tensor with axes whether it has elements."""
    if c.rank() == 0:
        return c.cast(c.x(), dtypes.bool_)
    size = c.b.constant(1)
    for d in c.type().shape:
        size = c.b.mul(size, c.b.dim(size=d))
    return c.b.not_equal(size, 0)


@rule("PopulationCount")
def population_count(c: TensorflowContext) -> Value:
    """The bits that are set, one by one."""
    x = c.x()
    kind = x.type.dtype
    count = None
    for k in range(kind.bits):
        bit = c.b.bitwise_and(c.b.shift_right(x, k) if k else x, 1)
        bit = c.cast(bit, dtypes.uint8)
        count = bit if count is None else c.b.add(count, bit)
    assert count is not None
    return count
