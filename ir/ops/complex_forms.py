"""Arithmetic and functions of complex numbers on pairs of reals (real part, imaginary part), made of smaller ops.

A pair is what a complex value is where a target has no complex numbers. The forms neither overflow nor cancel where
the result is an ordinary number; infinite and NaN parts may give NaN where complex arithmetic of C has a rule of its
own (its Annex G), as they may in NumPy and PyTorch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ir.types import TensorType, dtypes

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value

    Pair = tuple[Value, Value]

DIRECT = 256
"""Transforms of more points are made of two shorter ones where their number has factors."""
LONGEST = 4096
"""A matrix of cosines for more points (of a prime number) would have more than 16 million elements."""


def _type(x: tuple[Value, Value | None]) -> TensorType:
    """The type of both parts."""
    real, _ = x
    return real.type


def multiplied(b: Builder, x: Pair, y: Pair) -> Pair:
    """(a + ib)(c + id) = ac - bd + i(ad + bc)."""
    return bilinear(b, b.mul, x, y)


def bilinear(b: Builder, product: object, x: Pair, y: Pair) -> Pair:
    """A product of any kind, linear in both factors: of matrices, of Einstein's notation."""
    assert callable(product)
    real = b.sub(product(x[0], y[0]), product(x[1], y[1]))
    return real, b.add(product(x[0], y[1]), product(x[1], y[0]))


def divided(b: Builder, x: Pair, y: Pair) -> Pair:
    """Smith's quotient, as NumPy and PyTorch have it: the smaller part of the divisor over the larger is at most 1."""
    flat = b.greater_equal(b.abs(y[0]), b.abs(y[1]))
    large, small = b.where(flat, y[0], y[1]), b.where(flat, y[1], y[0])
    ratio = b.div(small, b.where(b.equal(large, 0), 1, large))  # both parts 0: the quotients below divide by zero
    scale = b.reciprocal(b.add(large, b.mul(small, ratio)))
    first, second = b.where(flat, x[0], x[1]), b.where(flat, x[1], x[0])
    real = b.mul(b.add(first, b.mul(second, ratio)), scale)
    turned = b.mul(b.sub(second, b.mul(first, ratio)), scale)
    return real, b.where(flat, turned, b.neg(turned))


def reciprocal(b: Builder, x: Pair) -> Pair:
    """1 / x."""
    one = b.expand(b.constant(1.0, _type(x).dtype), shape=_type(x).shape)
    return divided(b, (one, b.mul(one, 0)), x)


def modulus(b: Builder, x: Pair) -> Value:
    """|x|, which does not overflow before the result does; infinite where a part is, whatever the other."""
    a, c = b.abs(x[0]), b.abs(x[1])
    large, small = b.maximum(a, c), b.minimum(a, c)
    positive = b.greater(large, 0)
    ratio = b.div(small, b.where(positive, large, 1))
    size = b.mul(large, b.sqrt(b.add(b.mul(ratio, ratio), 1)))
    return b.where(b.or_(b.isinf(a), b.isinf(c)), math.inf, b.where(positive, size, large))


def exponential(b: Builder, x: Pair) -> Pair:
    """e**a (cos b + i sin b); real numbers stay real, infinite ones too."""
    size, flat = b.exp(x[0]), b.equal(x[1], 0)
    return b.where(flat, size, b.mul(size, b.cos(x[1]))), b.where(flat, x[1], b.mul(size, b.sin(x[1])))


def logarithm(b: Builder, x: Pair) -> Pair:
    """log |x| + i arg x. Near the unit circle as log1p(|x|**2 - 1) / 2, which does not cancel."""
    a, c = b.abs(x[0]), b.abs(x[1])
    large, small = b.maximum(a, c), b.minimum(a, c)
    near = b.and_(b.greater(large, 0.5), b.less(large, 2))
    excess = b.add(b.mul(b.sub(large, 1), b.add(large, 1)), b.mul(small, small))
    inside = b.mul(b.log1p(b.where(near, excess, 0)), 0.5)
    return b.where(near, inside, b.log(modulus(b, x))), b.atan2(x[1], x[0])


def square_root(b: Builder, x: Pair) -> Pair:
    """The root with real part >= 0; on the cut, on the side that the sign of the imaginary part (of zero too) says."""
    half = b.sqrt(b.add(b.mul(b.abs(x[0]), 0.5), b.mul(modulus(b, x), 0.5)))
    zero = b.equal(half, 0)
    other = b.div(b.mul(b.abs(x[1]), 0.5), b.where(zero, 1, half))
    right, down = b.greater_equal(x[0], 0), b.signbit(x[1])
    imaginary = b.where(right, other, half)
    return b.where(right, half, other), b.where(down, b.neg(imaginary), imaginary)


def sine(b: Builder, x: Pair) -> Pair:
    """sin a cosh b + i cos a sinh b."""
    return b.mul(b.sin(x[0]), b.cosh(x[1])), b.mul(b.cos(x[0]), b.sinh(x[1]))


def cosine(b: Builder, x: Pair) -> Pair:
    """cos a cosh b - i sin a sinh b."""
    return b.mul(b.cos(x[0]), b.cosh(x[1])), b.neg(b.mul(b.sin(x[0]), b.sinh(x[1])))


def hyperbolic_sine(b: Builder, x: Pair) -> Pair:
    """sinh a cos b + i cosh a sin b."""
    return b.mul(b.sinh(x[0]), b.cos(x[1])), b.mul(b.cosh(x[0]), b.sin(x[1]))


def hyperbolic_cosine(b: Builder, x: Pair) -> Pair:
    """cosh a cos b + i sinh a sin b."""
    return b.mul(b.cosh(x[0]), b.cos(x[1])), b.mul(b.sinh(x[0]), b.sin(x[1]))


def hyperbolic_tangent(b: Builder, x: Pair) -> Pair:
    """(t + i sin b cos b / cosh(a)**2) / (cos(b)**2 + t**2 sin(b)**2), where t = tanh a."""
    t, sin, cos = b.tanh(x[0]), b.sin(x[1]), b.cos(x[1])
    steep = b.reciprocal(b.square(b.cosh(x[0])))
    below = b.add(b.square(cos), b.square(b.mul(t, sin)))
    return b.div(t, below), b.div(b.mul(b.mul(sin, cos), steep), below)


def tangent(b: Builder, x: Pair) -> Pair:
    """-i tanh(ix)."""
    real, imaginary = hyperbolic_tangent(b, (b.neg(x[1]), x[0]))
    return imaginary, b.neg(real)


def power(b: Builder, x: Pair, y: Pair) -> Pair:
    """e**(y log x); 0 to the power 0 is 1, to one of positive real part 0, and else NaN."""
    real, imaginary = exponential(b, multiplied(b, y, logarithm(b, x)))
    zero = b.and_(b.equal(x[0], 0), b.equal(x[1], 0))
    none = b.and_(b.equal(y[0], 0), b.equal(y[1], 0))
    of_zero = b.where(none, 1, b.where(b.greater(y[0], 0), 0, b.constant(math.nan, _type(x).dtype)))
    return b.where(zero, of_zero, real), b.where(zero, b.where(none, 0, of_zero), imaginary)


def whole_power(b: Builder, x: Pair, exponent: int) -> Pair:
    """x to a power of 1 and more by repeated squaring."""
    out: Pair | None = None
    while exponent:
        if exponent & 1:
            out = x if out is None else multiplied(b, out, x)
        exponent >>= 1
        x = multiplied(b, x, x) if exponent else x
    assert out is not None
    return out


def multiplied_up(b: Builder, x: Pair, axis: int) -> Pair:
    """The product along an axis of known size, which is left out: halves by halves.

    Raises NotImplementedError where the size is known at run time only.
    """
    size = _type(x).shape[axis]
    if not isinstance(size, int):
        raise NotImplementedError("a product of complex numbers along an axis of open size has no form in reals")
    if not size:
        shape = tuple(d for k, d in enumerate(_type(x).shape) if k != axis)
        one = b.expand(b.constant(1.0, _type(x).dtype), shape=shape)
        return one, b.mul(one, 0)

    def part(start: int, stop: int) -> Pair:
        first, second = (b.slice(v, axes=(axis,), starts=(start,), stops=(stop,), steps=(1,)) for v in x)
        return first, second

    while size > 1:
        half, rest = size // 2, None if size % 2 == 0 else part(size - 1, size)
        x, size = multiplied(b, part(0, half), part(half, 2 * half)), half
        if rest is not None:
            x = tuple(b.concat([a, c], axis=axis) for a, c in zip(x, rest, strict=True))
            size += 1
    return b.select(x[0], axis=axis, index=0), b.select(x[1], axis=axis, index=0)


def running_product(b: Builder, x: Pair, axis: int) -> Pair:
    """Products of each element and all before it along an axis of known size, in rounds that double their reach.

    Raises NotImplementedError where the size is known at run time only.
    """
    size = _type(x).shape[axis]
    if not isinstance(size, int):
        raise NotImplementedError(
            "running products of complex numbers along an axis of open size have no form in reals"
        )

    def part(x: Pair, start: int | None, stop: int | None) -> Pair:
        first, second = (b.slice(v, axes=(axis,), starts=(start,), stops=(stop,), steps=(1,)) for v in x)
        return first, second

    reach = 1
    while reach < size:
        longer = multiplied(b, part(x, reach, None), part(x, None, -reach))
        first, second = (b.concat(list(parts), axis=axis) for parts in zip(part(x, None, reach), longer, strict=True))
        x, reach = (first, second), 2 * reach
    return x


# -- Fourier transforms ---------------------------------------------------------------------------------------------
def transformed(b: Builder, x: tuple[Value, Value | None], axis: int, inverse: bool, onesided: bool = False) -> Pair:
    """The transform along one axis, without scaling, as products with matrices of cosines and sines.

    An imaginary part of None is zero throughout. `onesided` keeps the first n // 2 + 1 frequencies.
    Raises NotImplementedError for more points than matrices are made of.
    """
    rank = _type(x).rank
    perm = (*(a for a in range(rank) if a != axis), axis)
    moved = axis != rank - 1
    given = tuple(None if v is None else b.transpose(v, perm=perm) if moved else v for v in x)
    assert given[0] is not None
    out = _along_last(b, (given[0], given[1]), inverse, onesided)
    if moved:
        back = tuple(int(i) for i in np.argsort(perm))
        out = b.transpose(out[0], perm=back), b.transpose(out[1], perm=back)
    return out


def _along_last(b: Builder, x: tuple[Value, Value | None], inverse: bool, onesided: bool) -> Pair:
    points, kind = _type(x).shape[-1], _type(x).dtype
    split = _split(points) if isinstance(points, int) else None
    if split is not None:
        out = _in_two(b, x, split, inverse)
    elif isinstance(points, int):
        if points > LONGEST:
            raise NotImplementedError(f"a transform of {points} points, a prime number, would need too large a matrix")
        kept = points // 2 + 1 if onesided else points
        cos, sin = _turns(np.outer(np.arange(points), np.arange(kept)) % points, points, inverse)
        return _product(b, x, (b.constant(cos, kind), b.constant(sin, kind)))
    else:
        out = _product(b, x, _run_time_table(b, x[0], inverse))
    if not onesided:
        return out
    first, second = (b.slice(v, axes=(-1,), starts=(None,), stops=(points // 2 + 1,), steps=(1,)) for v in out)
    return first, second


def _turns(steps: np.ndarray, points: int, inverse: bool) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of that many steps of a full turn in `points`: exact where they are 0, of positive sign there."""
    angle = 2 * np.pi * steps / points
    half, quarter = 2 * steps % points == 0, 4 * steps % points == 0
    cos = np.where(quarter & ~half, 0.0, np.cos(angle))
    return cos, np.where(half, 0.0, np.sin(angle) if inverse else -np.sin(angle))


def _run_time_table(b: Builder, x: Value, inverse: bool) -> Pair:
    """The matrices for a number of points known at run time only; angles in double precision."""
    size, kind = x.type.shape[-1], x.type.dtype
    ones = b.expand(b.constant(1, dtypes.int64), shape=(size,))
    place = b.sub(b.cumsum(ones, axis=0), 1)  # 0, 1, ... of as many elements as the axis has
    count = b.dim(size=size)
    turns = b.mod(b.mul(b.unsqueeze(place, axes=(1,)), b.unsqueeze(place, axes=(0,))), count)
    part = b.div(b.cast(turns, to=dtypes.float64), b.cast(count, to=dtypes.float64))
    angle = b.mul(part, 2 * math.pi)
    sin = b.sin(angle)
    return b.cast(b.cos(angle), to=kind), b.cast(sin if inverse else b.neg(sin), to=kind)


def _product(b: Builder, x: tuple[Value, Value | None], table: Pair) -> Pair:
    """The zeros of a real signal's transform are of positive sign, as transforms of real numbers have them."""
    if x[1] is None:
        return b.matmul(x[0], table[0]), b.add(b.matmul(x[0], table[1]), 0)
    return bilinear(b, b.matmul, (x[0], x[1]), table)


def _split(points: int) -> tuple[int, int] | None:
    """Two factors near the square root; None where a single matrix is better, or there are none."""
    if points <= DIRECT:
        return None
    first = next((f for f in range(math.isqrt(points), 1, -1) if points % f == 0), 1)
    return None if first == 1 else (first, points // first)


def _in_two(b: Builder, x: tuple[Value, Value | None], split: tuple[int, int], inverse: bool) -> Pair:
    """Cooley and Tukey's step: position j = j1 * n2 + j2 becomes frequency k = k1 + n1 * k2."""
    first, second = split
    lead, kind = _type(x).shape[:-1], _type(x).dtype
    apart = tuple(None if v is None else b.reshape(v, shape=(*lead, first, second)) for v in x)
    assert apart[0] is not None
    inner = transformed(b, (apart[0], apart[1]), len(lead), inverse)
    cos, sin = _turns(np.outer(np.arange(first), np.arange(second)), first * second, inverse)
    inner = multiplied(b, inner, (b.constant(cos, kind), b.constant(sin, kind)))
    outer = transformed(b, inner, len(lead) + 1, inverse)
    perm = (*range(len(lead)), len(lead) + 1, len(lead))
    real, imaginary = (b.reshape(b.transpose(v, perm=perm), shape=(*lead, first * second)) for v in outer)
    return real, imaginary
