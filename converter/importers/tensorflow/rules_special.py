"""Special functions. Where TensorFlow's values at the border of a domain are its own, they are chosen in so many words."""

from __future__ import annotations

import math

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value

_PLAIN = {
    "BesselI0": "bessel_i0", "BesselI0e": "bessel_i0e", "BesselI1": "bessel_i1", "BesselI1e": "bessel_i1e",
    "BesselJ0": "bessel_j0", "BesselJ1": "bessel_j1", "Ndtri": "ndtri",
}  # fmt: skip
_POSITIVE = {"BesselK0": math.inf, "BesselK0e": math.inf, "BesselK1": math.inf, "BesselK1e": math.inf,
             "BesselY0": -math.inf, "BesselY1": -math.inf}  # fmt: skip
"""Functions of positive numbers, and what TensorFlow gives for negative ones."""


def _name(op: str) -> str:
    return f"bessel_{op.removeprefix('Bessel').lower()}"


@rule(*_PLAIN)
def special(c: TensorflowContext) -> Value:
    found: Value = getattr(c.b, _PLAIN[c.op])(c.x())
    return found


@rule(*_POSITIVE)
def bessel(c: TensorflowContext) -> Value:
    """Below 0 an infinity; that of the second kind of order 1 is NaN at 0."""
    b, x = c.b, c.x()
    found: Value = b.where(b.less(x, 0.0), _POSITIVE[c.op], getattr(b, _name(c.op))(x))
    return b.where(b.equal(x, 0.0), math.nan, found) if c.op == "BesselY1" else found


@rule("Igamma")
def igamma(c: TensorflowContext) -> Value:
    """0 at 0 and at infinite order, else NaN unless the order is positive."""
    b, a, x = c.b, c.x(0), c.x(1)
    found = b.where(b.less_equal(a, 0.0), math.nan, b.gamma_inc(a, x))
    endless = b.and_(b.equal(a, math.inf), b.greater_equal(x, 0.0))
    return b.where(b.or_(b.equal(x, 0.0), endless), 0.0, found)


@rule("Igammac")
def igammac(c: TensorflowContext) -> Value:
    """NaN unless the order is positive; 0 where both are infinite."""
    b, a, x = c.b, c.x(0), c.x(1)
    found = b.where(b.less_equal(a, 0.0), math.nan, b.gamma_incc(a, x))
    return b.where(b.and_(b.equal(a, math.inf), b.equal(x, math.inf)), 0.0, found)


@rule("Zeta")
def zeta(c: TensorflowContext) -> Value:
    return _zeta(c, c.x(0), c.x(1))


def _zeta(c: TensorflowContext, x: Value, q: Value) -> Value:
    """At the poles q = 0, -1, ... infinite for even x, NaN for others."""
    b = c.b
    pole = b.and_(b.less_equal(q, 0.0), b.equal(q, b.floor(q)))
    endless = b.equal(x, math.inf)
    other = b.not_(b.or_(b.or_(b.less_equal(x, 1.0), b.equal(b.mod(x, 2.0), 0.0)), endless))
    found = b.where(b.and_(pole, other), math.nan, b.zeta(x, q))
    return b.where(b.and_(endless, b.greater(q, 1.0)), 0.0, found)


@rule("Polygamma")
def polygamma(c: TensorflowContext) -> Value:
    """(-1)**(n + 1) * n! * zeta(n + 1, x), and digamma for n = 0; NaN for other n than natural numbers, infinity aside."""
    b, n, x = c.b, c.x(0), c.x(1)
    order = b.add(n, 1.0)
    sign = b.sub(b.mul(b.mod(n, 2.0), 2.0), 1.0)
    wide = b.mul(b.mul(sign, b.exp(b.lgamma(order))), _zeta(c, order, x))
    first = b.where(b.equal(x, 0.0), math.nan, b.digamma(x))
    found = b.where(b.equal(n, 0.0), first, wide)
    natural = b.and_(b.equal(n, b.floor(n)), b.greater_equal(n, 0.0))
    beyond = b.and_(b.equal(n, math.inf), b.less_equal(x, 1.0))
    return b.where(beyond, math.inf, b.where(natural, found, math.nan))
