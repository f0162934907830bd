"""Special functions by series and recurrences whose length depends on the values: loops, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ir.ops.special_forms import lgamma
from ir.types import TensorType, broadcast_shapes, dtypes

Step = Callable[..., Any]
_BERNOULLI = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
    -3617 / 10670622842880000,
)  # fmt: skip
"""B(2j) / (2j)!."""


def loop(b: Any, carried: Sequence[Any], invariant: Sequence[Any], more: Step, step: Step) -> tuple[Any, ...]:
    """Run `step(b, *carried, *invariant) -> carried` while any element of `more(b, ...)` is true."""
    from ir.core import Builder, Graph  # the core imports the ops' definitions

    def body(name: str, build: Step) -> Any:
        graph = Graph(name)
        names = [f"s{i}" for i in range(len(carried))] + [f"c{i}" for i in range(len(invariant))]
        values = [graph.add_input(v.type, n) for v, n in zip((*carried, *invariant), names)]
        made = build(Builder(graph), *values)
        graph.set_outputs(list(made) if isinstance(made, tuple) else [made])
        return graph

    condition = body("cond", lambda inner, *values: inner.reduce_any(more(inner, *values)))
    return tuple(b.while_(tuple(carried), tuple(invariant), cond=condition, body=body("body", step)))


def _together(b: Any, *values: Any) -> tuple[Any, ...]:
    """The values, expanded to one shape."""
    shape = broadcast_shapes(*(v.type.shape for v in values))
    return tuple(v if v.type.shape == shape else b.expand(v, shape=shape) for v in values)


def _zeros(b: Any, like: Any) -> Any:
    kind: TensorType = like.type
    return b.full(shape=kind.shape, value=0.0, dtype=kind.dtype)


# -- zeta -------------------------------------------------------------------------------------------------------------
def zeta(b: Any, s: Any, q: Any) -> Any:
    """Terms are added until Euler and Maclaurin's formula holds for the rest, or the rest is too small to matter."""
    s, q = _together(b, s, q)
    pole = b.and_(b.less_equal(q, 0.0), b.equal(q, b.floor(q)))
    undefined = b.and_(b.less(q, 0.0), b.not_equal(s, b.floor(s)))
    odd = b.or_(b.or_(pole, undefined), b.or_(b.isinf(q), b.or_(b.isinf(s), b.less_equal(s, 1.0))))
    order, start = b.where(odd, 2.0, s), b.where(odd, 100.0, q)
    total, w = loop(b, (b.pow(start, b.neg(order)), b.add(start, 1.0)), (order,), _zeta_more, _zeta_step)
    power = b.pow(w, b.neg(order))
    small = _negligible(b, total, w, power)
    total = b.add(total, b.where(small, 0.0, b.mul(power, _rest(b, order, w))))
    total = b.where(b.isinf(q), b.pow(q, b.neg(s)), total)
    out = b.where(pole, math.inf, b.where(b.or_(undefined, b.isinf(s)), math.nan, total))
    return b.where(b.equal(s, 1.0), math.inf, b.where(b.less(s, 1.0), math.nan, out))


def _negligible(b: Any, total: Any, w: Any, power: Any) -> Any:
    return b.and_(b.greater(w, 1.0), b.less_equal(power, b.mul(b.abs(total), 1e-18)))


def _zeta_more(b: Any, total: Any, w: Any, order: Any) -> Any:
    small = _negligible(b, total, w, b.pow(w, b.neg(order)))
    return b.and_(b.less(w, b.maximum(order, 9.0)), b.not_(small))


def _zeta_step(b: Any, total: Any, w: Any, order: Any) -> Any:
    return b.add(total, b.pow(w, b.neg(order))), b.add(w, 1.0)


def _rest(b: Any, s: Any, w: Any) -> Any:
    """The sum of (w + k)**-s over w**-s, by Euler and Maclaurin's formula for s <= w."""
    out = b.add(b.div(w, b.sub(s, 1.0)), 0.5)
    factor = b.div(s, w)
    for j, coefficient in enumerate(_BERNOULLI):
        if j:
            a = b.div(b.add(s, 2.0 * j - 1), w)
            factor = b.mul(factor, b.mul(a, b.div(b.add(s, 2.0 * j), w)))
        out = b.add(out, b.mul(factor, coefficient))
    return out


# -- incomplete gamma -------------------------------------------------------------------------------------------------
_TINY = 1e-300


def gamma_inc(b: Any, a: Any, x: Any) -> Any:
    return _incomplete(b, a, x, lower=True)


def gamma_incc(b: Any, a: Any, x: Any) -> Any:
    return _incomplete(b, a, x, lower=False)


def _incomplete(b: Any, a: Any, x: Any, lower: bool) -> Any:
    """A series for x below a + 1, a continued fraction above (Lentz); all elements go on until the last converges."""
    a, x = _together(b, a, x)
    plain = b.and_(b.and_(b.greater(a, 0.0), b.greater(x, 0.0)), b.not_(b.or_(b.isinf(a), b.isinf(x))))
    order, point = b.where(plain, a, 1.0), b.where(plain, x, 1.0)
    left = b.less(point, b.add(order, 1.0))
    below, above = b.where(left, point, 0.5), b.where(left, b.add(order, 2.0), point)
    log = b.sub(b.sub(b.mul(order, b.log(point)), point), lgamma(b, order))
    front = b.exp(log)
    series = b.div(b.mul(front, _series(b, order, below)), order)
    fraction = b.mul(front, _fraction(b, order, above))
    small = b.where(left, series, fraction)
    inner = b.where(left, small, b.sub(1.0, small)) if lower else b.where(left, b.sub(1.0, small), small)
    if not lower:
        little = b.and_(left, b.less(order, 1.0))
        inner = b.where(little, _of_small_order(b, b.where(little, order, 0.5), b.where(little, point, 0.5)), inner)
    return b.where(plain, inner, _at_edges(b, a, x, lower))


def _series(b: Any, a: Any, x: Any) -> Any:
    """The sum of x**k / ((a + 1) ... (a + k)) from k = 0 on."""
    one = b.add(_zeros(b, a), 1.0)

    def more(b: Any, total: Any, term: Any, n: Any, x: Any) -> Any:
        return b.greater(term, b.mul(total, 1e-17))

    def step(b: Any, total: Any, term: Any, n: Any, x: Any) -> Any:
        n = b.add(n, 1.0)
        term = b.mul(term, b.div(x, n))
        return b.add(total, term), term, n

    return loop(b, (one, one, a), (x,), more, step)[0]


def _fraction(b: Any, a: Any, x: Any) -> Any:
    """1 / (x + 1 - a - 1 (1 - a) / (x + 3 - a - ...)) by Lentz's method."""
    zero = _zeros(b, a)
    first = b.add(b.sub(x, a), 1.0)
    d = b.reciprocal(first)

    def more(b: Any, h: Any, c: Any, d: Any, base: Any, i: Any, change: Any, a: Any) -> Any:
        return b.greater(b.abs(b.sub(change, 1.0)), 1e-15)

    def step(b: Any, h: Any, c: Any, d: Any, base: Any, i: Any, change: Any, a: Any) -> Any:
        i, base = b.add(i, 1.0), b.add(base, 2.0)
        factor = b.mul(b.neg(i), b.sub(i, a))
        d, c = b.add(b.mul(factor, d), base), b.add(base, b.div(factor, c))
        d = b.reciprocal(b.where(b.less(b.abs(d), _TINY), _TINY, d))
        c = b.where(b.less(b.abs(c), _TINY), _TINY, c)
        change = b.mul(d, c)
        return b.mul(h, change), c, d, base, i, change

    start = (d, b.add(zero, 1 / _TINY), d, first, zero, zero)
    return loop(b, start, (a,), more, step)[0]


_LGAMMA_1P = (-0.5772156649015329, 0.8224670334241132, -0.40068563438653143, 0.27058080842778454, -0.20738555102867398,
              0.1695571769974082, -0.1440498967688461)  # fmt: skip
"""-Euler's constant, then zeta(k) (-1)**k / k: the series of lgamma(1 + a)."""


def _of_small_order(b: Any, a: Any, x: Any) -> Any:
    """The upper function for a < 1 and x < a + 1, where 1 less the lower one would cancel: -expm1(t) - e**t a S with
    t = a log x - lgamma(1 + a) and S the sum of (-x)**k / (k! (a + k)) from k = 1 on (DLMF 8.7.1)."""
    near = b.mul(a, _LGAMMA_1P[-1])
    for coefficient in _LGAMMA_1P[-2::-1]:
        near = b.mul(b.add(near, coefficient), a)
    log_gamma = b.where(b.less(a, 0.01), near, lgamma(b, b.add(a, 1.0)))
    t = b.sub(b.mul(a, b.log(x)), log_gamma)

    def more(b: Any, total: Any, term: Any, k: Any, a: Any, x: Any) -> Any:
        return b.greater(b.abs(term), b.mul(b.abs(total), 1e-17))

    def step(b: Any, total: Any, term: Any, k: Any, a: Any, x: Any) -> Any:
        k = b.add(k, 1.0)
        term = b.neg(b.div(b.mul(term, x), k))
        return b.add(total, b.div(term, b.add(a, k))), term, k

    one = b.add(_zeros(b, a), 1.0)
    first = b.neg(b.div(x, b.add(a, 1.0)))
    total = loop(b, (first, b.neg(x), one), (a, x), more, step)[0]
    return b.sub(b.neg(b.expm1(t)), b.mul(b.mul(b.exp(t), a), total))


def _at_edges(b: Any, a: Any, x: Any, lower: bool) -> Any:
    """Operands that are 0, infinite, negative or NaN."""
    none, whole = (0.0, 1.0) if lower else (1.0, 0.0)
    undefined = b.constant(math.nan, dtypes.float64)
    out = b.where(b.equal(a, 0.0), whole, undefined)
    out = b.where(b.and_(b.equal(x, 0.0), b.greater(a, 0.0)), none, out)
    out = b.where(b.and_(b.isinf(x), b.greater_equal(a, 0.0)), whole, out)
    out = b.where(b.isinf(a), b.where(b.isinf(x), undefined, none), out)
    bad = b.or_(b.less(a, 0.0), b.less(x, 0.0))
    bad = b.or_(bad, b.and_(b.equal(a, 0.0), b.equal(x, 0.0)))
    return b.where(b.or_(bad, b.or_(b.isnan(a), b.isnan(x))), math.nan, out)


# -- orthogonal polynomials -------------------------------------------------------------------------------------------
def first_of(kind: str, x: Any, times: Step, plus: Step) -> Any:
    """The polynomial of degree 1. `times(x, number)` and `plus(x, number)` compute."""
    factor, shift = {
        "chebyshev_t": (1, 0), "chebyshev_u": (2, 0), "chebyshev_v": (2, -1), "chebyshev_w": (2, 1), "hermite_h": (2, 0),
        "hermite_he": (1, 0), "laguerre": (-1, 1), "legendre": (1, 0),
    }[kind]  # fmt: skip
    out = x if factor == 1 else times(x, float(factor))
    return plus(out, float(shift)) if shift else out


def polynomial_of_degree(b: Any, x: Any, n: Any, kind: str) -> Any:
    """Up by the recurrence in the degree; each element stops at its own."""
    x, n = _together(b, x, n)
    n = b.where(b.isinf(n), math.nan, b.trunc(n))
    first = first_of(kind, x, b.mul, b.add)
    one = b.add(_zeros(b, x), 1.0)
    count = b.constant(1.0, dtypes.float64)
    below = b.where(b.less_equal(n, 0.0), b.cast(b.equal(n, 0.0), to=dtypes.float64), first)
    found = b.where(b.isnan(n), math.nan, below)

    def more(b: Any, found: Any, p: Any, q: Any, k: Any, x: Any, n: Any) -> Any:
        return b.less(k, n)

    def step(b: Any, found: Any, p: Any, q: Any, k: Any, x: Any, n: Any) -> Any:
        r = _next(b, x, p, q, k, kind)
        k = b.add(k, 1.0)
        return b.where(b.less_equal(k, n), r, found), q, r, k

    return loop(b, (found, one, first, count), (x, n), more, step)[0]


def _next(b: Any, x: Any, p: Any, q: Any, k: Any, kind: str) -> Any:
    """The polynomial of degree k + 1 from those of degree k - 1 and k."""
    if kind.startswith("chebyshev"):
        return b.sub(b.mul(b.mul(x, 2.0), q), p)
    if kind == "hermite_h":
        return b.sub(b.mul(b.mul(x, 2.0), q), b.mul(b.mul(k, 2.0), p))
    if kind == "hermite_he":
        return b.sub(b.mul(x, q), b.mul(k, p))
    twice = b.add(b.mul(k, 2.0), 1.0)
    factor = b.mul(twice, x) if kind == "legendre" else b.sub(twice, x)
    return b.div(b.sub(b.mul(factor, q), b.mul(k, p)), b.add(k, 1.0))
