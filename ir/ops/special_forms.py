"""Special functions in elementary ones, for targets without them: computed in float64 and rounded to float32 or less.

The forms are good to about 1e-12, which float64 itself would show: it is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ir.ops import special_tables as tables
from ir.types import dtypes

Form = Callable[..., Any]
_ROOT = math.sqrt(2 * math.pi)


def in_double(form: Form, b: Any, *values: Any) -> Any:
    """A form of float64 values, for operands of less precision; raises NotImplementedError for float64 operands."""
    kind = values[0].type.dtype
    if kind == dtypes.float64:
        raise NotImplementedError("float64 has no form of that precision")
    return b.cast(form(b, *(b.cast(v, to=dtypes.float64) for v in values)), to=kind)


def polynomial(b: Any, t: Any, coefficients: Sequence[float]) -> Any:
    """The sum of coefficients times powers of t, by Horner's rule."""
    *rest, last = coefficients
    out = b.add(b.mul(t, last), rest.pop())
    for c in reversed(rest):
        out = b.add(b.mul(out, t), c)
    return out


def _linear(b: Any, x: Any, factor: float, shift: float) -> Any:
    return b.add(b.mul(x, factor), shift)


def _choose(b: Any, near: Any, a: Any, c: Any) -> Any:
    return b.where(near, a, c)


# -- modified Bessel functions ----------------------------------------------------------------------------------------
def _scaled_i(b: Any, x: Any, order: int) -> Any:
    """exp(-x) I(x) for x >= 0."""
    near_table, far_table = (tables.I0E_NEAR, tables.I0E_FAR) if order == 0 else (tables.I1E_NEAR, tables.I1E_FAR)
    near = polynomial(b, _linear(b, x, 0.25, -1.0), near_table)
    far = b.div(polynomial(b, b.add(b.div(16.0, x), -1.0), far_table), b.sqrt(x))
    return _choose(b, b.less(x, 8.0), near if order == 0 else b.mul(near, x), far)


def bessel_i0e(b: Any, x: Any) -> Any:
    return _scaled_i(b, b.abs(x), 0)


def bessel_i1e(b: Any, x: Any) -> Any:
    return b.mul(b.sign(x), _scaled_i(b, b.abs(x), 1))


def _grown(b: Any, x: Any, scaled: Any) -> Any:
    """exp(x) times `scaled`, infinite at infinity."""
    return b.mul(b.exp(b.minimum(x, 700.0)), scaled)


def bessel_i0(b: Any, x: Any) -> Any:
    size = b.minimum(b.abs(x), 700.0)  # beyond what float32 holds by far
    return _grown(b, size, _scaled_i(b, size, 0))


def bessel_i1(b: Any, x: Any) -> Any:
    size = b.minimum(b.abs(x), 700.0)
    return b.mul(b.sign(x), _grown(b, size, _scaled_i(b, size, 1)))


def _scaled_k(b: Any, x: Any, order: int) -> Any:
    """exp(x) K(x): infinite at 0, NaN below."""
    x = b.where(b.equal(x, 0.0), 0.0, x)  # of either sign
    t, log = _linear(b, b.square(x), 0.5, -1.0), b.log(b.mul(x, 0.5))
    if order == 0:
        near = b.sub(polynomial(b, t, tables.K0_NEAR), b.mul(log, polynomial(b, t, tables.I0_SMALL)))
    else:
        part = b.mul(b.mul(log, x), polynomial(b, t, tables.I1_SMALL))
        near = b.add(b.div(polynomial(b, t, tables.K1_NEAR), x), b.where(b.equal(x, 0.0), 0.0, part))
    far_table = tables.K0E_FAR if order == 0 else tables.K1E_FAR
    far = b.div(polynomial(b, b.add(b.div(4.0, x), -1.0), far_table), b.sqrt(x))
    return _choose(b, b.less(x, 2.0), b.mul(near, b.exp(x)), far)


def bessel_k0e(b: Any, x: Any) -> Any:
    return _scaled_k(b, x, 0)


def bessel_k1e(b: Any, x: Any) -> Any:
    return _scaled_k(b, x, 1)


def bessel_k0(b: Any, x: Any) -> Any:
    return b.mul(b.exp(b.neg(x)), _scaled_k(b, x, 0))


def bessel_k1(b: Any, x: Any) -> Any:
    return b.mul(b.exp(b.neg(x)), _scaled_k(b, x, 1))


# -- Bessel functions -------------------------------------------------------------------------------------------------
def _wave(b: Any, x: Any, order: int, second: bool) -> Any:
    """The function of the first kind (or the second) for x >= 8."""
    ps, qs = (tables.PHASE0_P, tables.PHASE0_Q) if order == 0 else (tables.PHASE1_P, tables.PHASE1_Q)
    t = _linear(b, b.square(b.div(8.0, x)), 2.0, -1.0)
    p, q = polynomial(b, t, ps), b.div(polynomial(b, t, qs), x)
    angle = b.add(x, -(2 * order + 1) * math.pi / 4)
    sin, cos = b.sin(angle), b.cos(angle)
    wave = b.add(b.mul(p, sin), b.mul(q, cos)) if second else b.sub(b.mul(p, cos), b.mul(q, sin))
    return b.mul(wave, b.sqrt(b.div(2 / math.pi, x)))


def _square_eighth(b: Any, x: Any) -> Any:
    return _linear(b, b.square(x), 1 / 32, -1.0)


def bessel_j0(b: Any, x: Any) -> Any:
    size = b.abs(x)
    near = polynomial(b, _square_eighth(b, size), tables.J0_NEAR)
    return _choose(b, b.less(size, 8.0), near, _wave(b, size, 0, second=False))


def bessel_j1(b: Any, x: Any) -> Any:
    size = b.abs(x)
    near = b.mul(size, polynomial(b, _square_eighth(b, size), tables.J1_NEAR))
    return b.mul(b.sign(x), _choose(b, b.less(size, 8.0), near, _wave(b, size, 1, second=False)))


def bessel_y0(b: Any, x: Any) -> Any:
    """-inf at 0, NaN below."""
    t = _square_eighth(b, x)
    part = b.mul(b.mul(b.log(x), 2 / math.pi), polynomial(b, t, tables.J0_NEAR))
    near = b.add(polynomial(b, t, tables.Y0_NEAR), part)
    return _choose(b, b.less(x, 8.0), near, _wave(b, x, 0, second=True))


def bessel_y1(b: Any, x: Any) -> Any:
    """-inf at 0, NaN below."""
    x = b.where(b.equal(x, 0.0), 0.0, x)  # of either sign
    t = _square_eighth(b, x)
    part = b.mul(b.mul(b.log(x), x), polynomial(b, t, tables.J1_NEAR))
    part = b.sub(b.where(b.equal(x, 0.0), 0.0, part), b.reciprocal(x))
    near = b.add(b.mul(x, polynomial(b, t, tables.Y1_NEAR)), b.mul(part, 2 / math.pi))
    return _choose(b, b.less(x, 8.0), near, _wave(b, x, 1, second=True))


# -- error functions --------------------------------------------------------------------------------------------------
def _erfcx_positive(b: Any, x: Any) -> Any:
    """exp(x * x) erfc(x) for x >= 0."""
    t = b.sub(1.0, b.div(7.5, b.add(x, 3.75)))
    return b.div(polynomial(b, t, tables.ERFCX), _linear(b, x, 2.0, 1.0))


def erfcx(b: Any, x: Any) -> Any:
    size = _erfcx_positive(b, b.abs(x))
    return b.where(b.less(x, 0.0), b.sub(b.mul(b.exp(b.square(x)), 2.0), size), size)


def ndtri(b: Any, p: Any) -> Any:
    """A start of error 5e-4 (Abramowitz and Stegun 26.2.23), made exact by two steps of Halley's method."""
    q = b.minimum(p, b.sub(1.0, p))
    t = b.sqrt(b.mul(b.log(q), -2.0))
    above = polynomial(b, t, (2.515517, 0.802853, 0.010328))
    x = b.sub(b.div(above, polynomial(b, t, (1.0, 1.432788, 0.189269, 0.001308))), t)
    for _ in range(2):
        tail = b.mul(_erfcx_positive(b, b.maximum(b.mul(x, -math.sqrt(0.5)), 0.0)), 0.5)
        error = b.mul(b.sub(tail, b.mul(q, b.exp(b.mul(b.square(x), 0.5)))), _ROOT)
        x = b.sub(x, b.div(error, _linear(b, b.mul(x, error), 0.5, 1.0)))
    x = b.where(b.equal(q, 0.0), -math.inf, b.where(b.equal(q, 0.5), 0.0, x))
    return b.where(b.greater(p, 0.5), b.neg(x), x)


def erfinv(b: Any, y: Any) -> Any:
    """A start of relative error 2e-3 (Winitzki 2008), made exact by three steps of Halley's method."""
    a = b.abs(y)
    rest = b.sub(1.0, a)
    log = b.log(b.mul(rest, b.add(a, 1.0)))
    half = _linear(b, log, 0.5, 2 / (math.pi * 0.147))
    x = b.sqrt(b.sub(b.sqrt(b.sub(b.square(half), b.div(log, 0.147))), half))
    for _ in range(3):
        small = b.sub(b.mul(x, polynomial(b, _linear(b, b.square(x), 2.0, -1.0), tables.ERF_SMALL)), a)
        falling = b.exp(b.neg(b.square(x)))
        large = b.sub(rest, b.mul(falling, _erfcx_positive(b, x)))
        error = b.div(b.where(b.less(a, 0.5), small, large), b.mul(falling, 2 / math.sqrt(math.pi)))
        x = b.sub(x, b.div(error, b.add(b.mul(x, error), 1.0)))
    x = b.where(b.equal(a, 1.0), math.inf, x)
    return b.where(b.less(y, 0.0), b.neg(x), x)


# -- gamma ------------------------------------------------------------------------------------------------------------
_SHIFT = 8


def _fraction(b: Any, x: Any) -> Any:
    """x without its floor: the sines of pi times it and of pi times x have one size."""
    return b.mul(b.sub(x, b.floor(x)), math.pi)


def _lifted(b: Any, y: Any) -> tuple[Any, Any]:
    """Whether y is large enough for asymptotic series, and y or y + _SHIFT, which is."""
    large = b.greater_equal(y, float(_SHIFT))
    return large, b.where(large, y, b.add(y, float(_SHIFT)))


def _positive_lgamma(b: Any, y: Any) -> Any:
    """Stirling's series, after the recurrence where y is small."""
    large, z = _lifted(b, y)
    inverse = b.reciprocal(z)
    series = polynomial(b, b.square(inverse), (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188))
    out = b.mul(b.add(z, -0.5), b.add(b.log(z), -1.0))
    out = b.add(out, b.add(b.mul(series, inverse), 0.5 * math.log(2 * math.pi) - 0.5))
    product = y
    for k in range(1, _SHIFT):
        product = b.mul(product, b.add(y, float(k)))
    return b.where(large, out, b.sub(out, b.log(product)))


def lgamma(b: Any, x: Any) -> Any:
    """Reflected below 1/2; infinite at the poles and at both infinities."""
    low = b.less(x, 0.5)
    positive = _positive_lgamma(b, b.where(low, b.sub(1.0, x), x))
    reflected = b.sub(b.log(b.div(math.pi, b.abs(b.sin(_fraction(b, x))))), positive)
    return b.where(b.isinf(x), math.inf, b.where(low, reflected, positive))


def digamma(b: Any, x: Any) -> Any:
    """Reflected below 0; NaN at negative integers."""
    low = b.less(x, 0.0)
    y = b.where(low, b.sub(1.0, x), x)
    large, z = _lifted(b, y)
    inverse = b.reciprocal(z)
    square = b.square(inverse)
    series = polynomial(b, square, (-1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132, 691 / 32760))
    out = b.add(b.log(z), b.add(b.mul(series, square), b.mul(inverse, -0.5)))
    total = b.reciprocal(y)
    for k in range(1, _SHIFT):
        total = b.add(total, b.reciprocal(b.add(y, float(k))))
    out = b.where(large, out, b.sub(out, total))
    angle = _fraction(b, x)
    turned = b.sub(out, b.mul(b.div(b.cos(angle), b.sin(angle)), math.pi))
    return b.where(low, b.where(b.equal(angle, 0.0), math.nan, turned), out)
