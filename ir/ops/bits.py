"""The bits of floats by arithmetic, for targets that cannot read them: exact but for NaN, whose bits are made 0x7fc0....

Everything is computed in float64 and int64. A product with a power of two is exact, below the normal numbers too where
the result has the digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ir.types import DType, dtypes


@dataclass(frozen=True)
class Layout:
    """Bits of the fraction and the bias of the exponent."""

    fraction: int
    bias: int

    @property
    def infinity(self) -> int:
        """The exponent of infinities and NaN."""
        return 2 * self.bias + 1


LAYOUTS = {
    "float16": Layout(10, 15),
    "bfloat16": Layout(7, 127),
    "float32": Layout(23, 127),
    "float64": Layout(52, 1023),
}


def to_bits(b: Any, x: Any, to: DType) -> Any:
    """The bits of float32 or float64 as an integer type of that width."""
    form, width = LAYOUTS[x.type.dtype.name], x.type.dtype.bits
    size = b.abs(b.cast(x, to=dtypes.float64))
    finite = b.not_(b.or_(b.isinf(size), b.isnan(size)))
    plain = b.and_(finite, b.greater_equal(size, 2.0 ** (1 - form.bias)))
    mantissa, exponent = _normalised(b, b.where(plain, size, 1.0), form.bias)
    low = b.where(plain, 0.0, b.where(finite, size, 0.0))
    low = b.mul(b.mul(low, 2.0**form.bias), 2.0 ** (form.fraction - 1))  # both at once may be more than a float64 holds
    digits = b.add(b.mul(b.sub(mantissa, 1.0), 2.0**form.fraction), low)
    biased = b.where(plain, b.add(exponent, form.bias), 0)
    biased = b.where(finite, biased, form.infinity)
    bits = b.add(b.mul(biased, 1 << form.fraction), b.cast(digits, to=dtypes.int64))
    bits = b.where(b.isnan(size), (form.infinity << form.fraction) + (1 << (form.fraction - 1)), bits)
    top = -(1 << 63) if width == 64 else 1 << (width - 1)
    negative = b.and_(b.signbit(x), b.not_(b.isnan(size)))
    return b.cast(b.where(negative, b.add(bits, top), bits), to=to)


def _normalised(b: Any, size: Any, bias: int) -> tuple[Any, Any]:
    """Normal numbers as m * 2**e, m in [1, 2): halved, or doubled, by ever smaller powers."""
    exponent = b.cast(b.mul(size, 0.0), to=dtypes.int64)
    steps = [1 << k for k in reversed(range(bias.bit_length()))]
    for step in steps:
        large = b.greater_equal(size, 2.0**step)
        size = b.where(large, b.mul(size, 2.0**-step), size)
        exponent = b.where(large, b.add(exponent, step), exponent)
    for step in steps:
        small = b.less(size, 2.0 ** (1 - step))
        size = b.where(small, b.mul(size, 2.0**step), size)
        exponent = b.where(small, b.sub(exponent, step), exponent)
    return size, exponent


def from_bits(b: Any, x: Any, to: DType) -> Any:
    """The floats whose bits are integers of that width."""
    form, width = LAYOUTS[to.name], to.bits
    bits = b.cast(x, to=dtypes.int64)
    rest = b.bitwise_and(bits, (1 << (width - 1)) - 1)
    negative = b.less(bits, 0) if width == 64 else b.not_equal(b.bitwise_and(bits, 1 << (width - 1)), 0)
    exponent = b.shift_right(rest, form.fraction)
    digits = b.cast(b.bitwise_and(rest, (1 << form.fraction) - 1), to=dtypes.float64)
    power = b.pow(b.constant(2.0, dtypes.float64), b.cast(b.sub(exponent, form.bias), to=dtypes.float64))
    normal = b.mul(b.add(b.mul(digits, 2.0**-form.fraction), 1.0), power)
    low = b.mul(digits, 2.0 ** (1 - form.bias - form.fraction))
    special = b.where(b.equal(digits, 0.0), float("inf"), b.constant(float("nan"), dtypes.float64))
    size = b.where(b.equal(exponent, 0), low, b.where(b.equal(exponent, form.infinity), special, normal))
    return b.cast(b.where(negative, b.neg(size), size), to=to)
