"""Elementwise ops of one operand. NaN gives NaN everywhere; the sign of a zero result is not part of any op's contract.

Functions are the C library's and `scipy.special`'s; domain errors give NaN, poles give infinities.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ir.ops import special_forms
from ir.ops.families import Unary, UnaryInexact, UnaryNumeric, UnaryReal
from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.types import TensorType

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value


# -- exponentials and powers ----------------------------------------------------------------------------------------


@op
class Exp(UnaryInexact):
    """e to the power x."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.exp(x)


@op
class Expm1(Unary):
    """e to the power x, minus 1, accurate near 0."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.expm1(x)


@op
class Log(UnaryInexact):
    """Natural logarithm."""

    low, high = 0.01, 9.0

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.log(x)


@op
class Log1p(Unary):
    """Natural logarithm of 1 + x, accurate near 0."""

    low, high = -0.9, 9.0

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.log1p(x)


@op
class Log2(Unary):
    """Logarithm to base 2."""

    low, high = 0.01, 9.0

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.log2(x)


@op
class Log10(Unary):
    """Logarithm to base 10."""

    low, high = 0.01, 9.0

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.log10(x)


@op
class Sqrt(UnaryInexact):
    """Square root (principal value for complex numbers)."""

    low, high = 0.0, 9.0

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.sqrt(x)


@op
class Rsqrt(UnaryInexact):
    """1 / sqrt(x)."""

    low, high = 0.1, 9.0

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.reciprocal(np.sqrt(x))

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.reciprocal(b.sqrt(x))


@op
class Reciprocal(UnaryInexact):
    """1 / x."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.reciprocal(x)

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.div(1.0, x)


# -- trigonometric and hyperbolic -------------------------------------------------------------------------------------

@op
class Sin(UnaryInexact):
    """Sine of x in radians."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.sin(x)


@op
class Cos(UnaryInexact):
    """Cosine of x in radians."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.cos(x)


@op
class Tan(UnaryInexact):
    """Tangent of x in radians."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.tan(x)

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.div(b.sin(x), b.cos(x))


@op
class Asin(Unary):
    """Inverse sine; NaN outside [-1, 1]."""

    low, high = -1.0, 1.0

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.arcsin(x)


@op
class Acos(Unary):
    """Inverse cosine; NaN outside [-1, 1]."""

    low, high = -1.0, 1.0

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.arccos(x)


@op
class Atan(Unary):
    """Inverse tangent."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.arctan(x)


@op
class Sinh(UnaryInexact):
    """Hyperbolic sine."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.sinh(x)


@op
class Cosh(UnaryInexact):
    """Hyperbolic cosine."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.cosh(x)


@op
class Tanh(UnaryInexact):
    """Hyperbolic tangent."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.tanh(x)


@op
class Asinh(Unary):
    """Inverse hyperbolic sine."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.arcsinh(x)


@op
class Acosh(Unary):
    """Inverse hyperbolic cosine; NaN below 1."""

    low, high = 1.0, 9.0

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.arccosh(x)


@op
class Atanh(Unary):
    """Inverse hyperbolic tangent; NaN outside [-1, 1]."""

    low, high = -0.9, 0.9

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.arctanh(x)


# -- special functions ------------------------------------------------------------------------------------------------

@op
class Erf(Unary):
    """Error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        from scipy import special

        return special.erf(x)


@op
class Erfc(Unary):
    """1 - erf(x), accurate for large x."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        from scipy import special

        return special.erfc(x)


@op
class Erfinv(Unary):
    """Inverse of erf; NaN outside [-1, 1]."""

    low, high = -0.95, 0.95

    @staticmethod
    def evaluate(x: Array) -> Array:
        from scipy import special

        return special.erfinv(x)

    @staticmethod
    def decompose(b: Any, x: Any) -> Any:
        return special_forms.in_double(special_forms.erfinv, b, x)


@op
class Lgamma(Unary):
    """Logarithm of the absolute value of the gamma function; +inf at its poles and at -inf."""

    low, high = 0.1, 9.0

    @staticmethod
    def evaluate(x: Array) -> Array:
        from scipy import special

        return np.where(np.isneginf(x), np.inf, special.gammaln(x)).astype(x.dtype)

    @staticmethod
    def decompose(b: Any, x: Any) -> Any:
        return special_forms.in_double(special_forms.lgamma, b, x)


@op
class Digamma(Unary):
    """Derivative of lgamma; -inf at 0, NaN at negative integers."""

    low, high = 0.1, 9.0

    @staticmethod
    def evaluate(x: Array) -> Array:
        from scipy import special

        return special.psi(x)

    @staticmethod
    def decompose(b: Any, x: Any) -> Any:
        return special_forms.in_double(special_forms.digamma, b, x)


# -- sign and size ----------------------------------------------------------------------------------------------------

@op
class Neg(UnaryNumeric):
    """-x; integers wrap (unsigned ones too, and the lowest signed one is its own negative)."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.negative(x)


@op
class Abs(UnaryNumeric):
    """|x|, real for complex numbers; the lowest signed integer is its own absolute value."""

    @staticmethod
    def infer(x: TensorType, **attrs: Any) -> TensorType:
        return x.with_dtype(x.dtype.real)

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.abs(x)


@op
class Sign(UnaryReal):
    """-1, 0 or 1. Of NaN: NaN (NumPy, TensorFlow, ONNX), or 0 with `nan="zero"` (PyTorch)."""

    nan: Literal["propagate", "zero"] = "propagate"
    discontinuous = True
    rows = ({"nan": "zero"}, {})

    @staticmethod
    def evaluate(x: Array, nan: str) -> Array:
        signs = np.sign(x)
        return np.where(np.isnan(x), np.zeros_like(x), signs) if nan == "zero" else signs

    @staticmethod
    def decompose(b: Builder, x: Value, nan: str) -> Value:
        zero = b.sub(x, x) if x.type.dtype.is_integer else b.constant(0.0, x.type.dtype)
        signs = b.sub(b.cast(b.greater(x, zero), to=x.type.dtype), b.cast(b.less(x, zero), to=x.type.dtype))
        return b.where(b.isnan(x), x, signs) if nan == "propagate" and x.type.dtype.is_float else signs


@op
class Square(UnaryNumeric):
    """x * x; integers wrap."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.multiply(x, x)

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.mul(x, x)


# -- rounding -------------------------------------------------------------------------------------------------------
@op
class Floor(Unary):
    """The largest integer not above x."""

    discontinuous = True

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.floor(x)


@op
class Ceil(Unary):
    """The smallest integer not below x."""

    discontinuous = True

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.ceil(x)

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.neg(b.floor(b.neg(x)))


@op
class Round(Unary):
    """The nearest integer; halves go to the even one (IEEE 754 roundTiesToEven)."""

    discontinuous = True

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.rint(x)


@op
class Trunc(Unary):
    """The integer part: rounds towards zero."""

    discontinuous = True

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.trunc(x)

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.where(b.less(x, 0.0), b.ceil(x), b.floor(x))


# -- complex numbers ------------------------------------------------------------------------------------------------
class _Complex:
    """One complex operand, result of its parts' dtype."""

    inputs = ("x: complex",)

    @staticmethod
    def infer(x: TensorType) -> TensorType:
        return x.with_dtype(x.dtype.real)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(s.complexes(2, 3))
        yield s.case(s.complexes())
        yield s.case(s.complexes(0, 2))
        yield s.case(s.floats(2), name="not complex", error=TypeError)


@op
class Real(_Complex):
    """The real part."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.real(x).copy()


@op
class Imag(_Complex):
    """The imaginary part."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.imag(x).copy()


@op
class Angle(_Complex):
    """The argument, in (-pi, pi]."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.angle(x)

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.atan2(b.imag(x), b.real(x))


@op
class Conj(_Complex):
    """The complex conjugate."""

    @staticmethod
    def infer(x: TensorType) -> TensorType:
        return x

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.conj(x)
