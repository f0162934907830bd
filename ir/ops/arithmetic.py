"""Elementwise ops of several operands, which broadcast as in NumPy and share one dtype.

Integer results wrap. Integer division by zero and negative powers of integers have no value: evaluation raises
ValueError (PyTorch raises too; NumPy warns and gives 0; ONNX leaves it open). The sign of a zero result is not part of
the contract.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ir.ops.families import INTEGERS, PAIRS, Binary, Unary
from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.types import TensorType, broadcast_shapes, dtypes

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value


def _check_divisor(y: Array) -> None:
    if y.dtype.kind in "iu" and not y.all():
        raise ValueError("integer division by zero")


@op
class Add(Binary):
    """x + y."""

    inputs = ("x: numeric", "y: x")
    complexes = True

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.add(x, y)


@op
class Sub(Binary):
    """x - y."""

    inputs = ("x: numeric", "y: x")
    complexes = True

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.subtract(x, y)


@op
class Mul(Binary):
    """x * y."""

    inputs = ("x: numeric", "y: x")
    complexes = True

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.multiply(x, y)


@op
class Div(Binary):
    """x / y, true division (IEEE 754: 1/0 is inf, 0/0 is NaN)."""

    inputs = ("x: inexact", "y: x")
    integers, complexes = False, True

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.divide(x, y)


@op
class Pow(Binary):
    """x to the power y (C's pow: 1**NaN and NaN**0 are 1; NaN for a negative base and a fractional power)."""

    inputs = ("x: numeric", "y: x")
    complexes = True

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        if y.dtype.kind == "i" and (y < 0).any():
            raise ValueError("negative power of an integer")
        return np.power(x, y)

    @classmethod
    def integer_samples(cls, s: Sampler) -> Iterator[Sample]:
        for kind in INTEGERS:
            yield s.case(s.int_edges(kind)[:, None], s.ints(6, low=0, high=6, dtype=kind), name="integers wrap")
        yield s.case(s.ints(2, 3, low=1), np.array([1, 0, -1]), name="negative power", error=ValueError)


@op
class FloorDiv(Binary):
    """The quotient rounded to minus infinity, Python's `//` (of the exact quotient, not of the rounded x/y)."""

    zero = False
    discontinuous = True

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        _check_divisor(y)
        return np.floor_divide(x, y)

    @staticmethod
    def decompose(b: Builder, x: Value, y: Value) -> Value:
        kind = x.type.dtype
        if kind.is_integer:
            quotient = b.trunc_div(x, y)
            rest = b.sub(x, b.mul(quotient, y))
            return b.sub(quotient, b.cast(_signs_differ(b, rest, y), to=kind)) if kind.kind == "int" else quotient
        rest = b.fmod(x, y)
        exact = b.sub(b.div(b.sub(x, rest), y), b.cast(_signs_differ(b, rest, y), to=kind))
        low = b.floor(exact)
        whole = b.add(low, b.cast(b.greater(b.sub(exact, low), 0.5), to=kind))  # undoes the rounding of the division
        return b.where(b.equal(y, 0.0), b.div(x, y), whole)


@op
class TruncDiv(Binary):
    """The integer quotient rounded towards zero, C's `/`."""

    inputs = ("x: integer", "y: x")
    zero = floats = False

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        _check_divisor(y)
        quotient = np.floor_divide(x, y)
        inexact = np.multiply(quotient, y) != x
        return quotient + (inexact & (quotient < 0)).astype(x.dtype)


@op
class Mod(Binary):
    """x - y * floor(x / y), Python's `%`: the result has the sign of y."""

    zero = False
    discontinuous = True

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        _check_divisor(y)
        return np.mod(x, y)

    @staticmethod
    def decompose(b: Builder, x: Value, y: Value) -> Value:
        rest = b.fmod(x, y)
        return b.where(_signs_differ(b, rest, y), b.add(rest, y), rest) if x.type.dtype.kind != "uint" else rest


@op
class Fmod(Binary):
    """x - y * trunc(x / y), C's fmod and `%`: the result has the sign of x."""

    zero = False
    discontinuous = True

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        _check_divisor(y)
        return np.fmod(x, y)


def _signs_differ(b: Builder, rest: Value, y: Value) -> Value:
    """Where a non-zero rest and the divisor have opposite signs."""
    return b.and_(b.not_equal(rest, 0), b.xor(b.less(rest, 0), b.less(y, 0)))


def _summed(gradient: Array, shape: tuple[int, ...]) -> Array:
    """A gradient of the broadcast operand, added up to the operand's own shape."""
    extra = tuple(range(gradient.ndim - len(shape)))
    stretched = tuple(i for i, d in enumerate(shape, len(extra)) if d == 1)
    return gradient.sum(axis=(*extra, *stretched)).reshape(shape)


def _split(cotangent: Array, x: Array, y: Array, taken: Array) -> dict[str, Array]:
    """The cotangent goes to the operand that was taken, half to each where they are equal."""
    share = np.where(x == y, 0.5, x == taken)
    return {"x": _summed(cotangent * share, x.shape), "y": _summed(cotangent * (1 - share), y.shape)}


@op
class Maximum(Binary):
    """The larger of two; NaN where either is NaN."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.maximum(x, y)

    @staticmethod
    def vjp(cotangent: Array, x: Array, y: Array) -> dict[str, Array]:
        return _split(cotangent, x, y, np.maximum(x, y))


@op
class Minimum(Binary):
    """The smaller of two; NaN where either is NaN."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.minimum(x, y)

    @staticmethod
    def vjp(cotangent: Array, x: Array, y: Array) -> dict[str, Array]:
        return _split(cotangent, x, y, np.minimum(x, y))


@op
class Fmax(Binary):
    """The larger of two; a NaN gives way to a number (C's fmax)."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.fmax(x, y)

    @staticmethod
    def decompose(b: Builder, x: Value, y: Value) -> Value:
        return _ignoring_nan(b, x, y, b.maximum(x, y))


@op
class Fmin(Binary):
    """The smaller of two; a NaN gives way to a number (C's fmin)."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.fmin(x, y)

    @staticmethod
    def decompose(b: Builder, x: Value, y: Value) -> Value:
        return _ignoring_nan(b, x, y, b.minimum(x, y))


def _ignoring_nan(b: Builder, x: Value, y: Value, chosen: Value) -> Value:
    if x.type.dtype.is_integer:
        return chosen
    return b.where(b.isnan(x), y, b.where(b.isnan(y), x, chosen))


@op
class Atan2(Binary):
    """The angle of the point (y, x) = (first, second operand) in (-pi, pi], C's atan2(x, y) argument order."""

    inputs = ("x: float", "y: x")
    integers = False

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.arctan2(x, y)

    @staticmethod
    def decompose(b: Any, x: Any, y: Any) -> Any:
        """By the arc tangent of the quotient's size; zeros tell their sign by their reciprocal."""
        rise, run = b.abs(x), b.abs(y)
        steep = b.atan(b.div(rise, run))
        steep = b.where(b.and_(b.isinf(rise), b.isinf(run)), math.pi / 4, steep)
        steep = b.where(b.and_(b.equal(rise, 0.0), b.equal(run, 0.0)), 0.0, steep)
        angle = b.where(_is_negative(b, y), b.sub(math.pi, steep), steep)
        return b.where(_is_negative(b, x), b.neg(angle), angle)


def _is_negative(b: Any, x: Any) -> Any:
    """Whether a float is below zero, or -0.0."""
    return b.or_(b.less(x, 0.0), b.less(b.reciprocal(x), 0.0))


@op
class Clip:
    """minimum(maximum(x, min), max): `max` wins where the bounds cross; NaN in any operand gives NaN."""

    inputs = ("x: real", "min?: x", "max?: x")

    @staticmethod
    def infer(x: TensorType, min: TensorType | None, max: TensorType | None) -> TensorType:
        return x.with_shape(broadcast_shapes(*(t.shape for t in (x, min, max) if t is not None)))

    @staticmethod
    def evaluate(x: Array, min: Array | None, max: Array | None) -> Array:
        raised = x if min is None else np.maximum(x, min)
        return raised if max is None else np.minimum(raised, max)

    @staticmethod
    def decompose(b: Builder, x: Value, min: Value | None, max: Value | None) -> Value:
        raised = x if min is None else b.maximum(x, min)
        return raised if max is None else b.minimum(raised, max)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        low, high = s.floats(low=-2, high=-1), s.floats(low=1, high=2)
        yield s.case(s.floats(3, 4), low, high)
        yield s.case(s.floats(5, 6, edge=True), low, None, name="edges")
        yield s.case(s.floats(5, 6, edge=True), None, high, name="edges")
        yield s.case(s.floats(2, 3), None, None, name="no bounds")
        yield s.case(s.floats(2, 3), high, low, name="crossed bounds")
        yield s.case(s.floats(2, 3), s.floats(3), s.floats(4, 1, 1), name="broadcast")
        edges = s.float_edges()
        yield s.case(edges[:, None, None], edges[:, None], edges, name="all edges")
        yield s.case(s.floats(0, 3), low, high, name="empty")
        for kind in INTEGERS:
            yield s.case(s.int_edges(kind), s.ints(low=1, high=3, dtype=kind), s.ints(low=4, high=7, dtype=kind))
        yield s.case(s.floats(2), s.ints(), None, name="dtypes differ", error=TypeError)


@op
class HardTanh(Unary):
    """x within [min, max]. Its gradient at both bounds is 0, where that of `clip` is 1 (relu6: 0 and 6)."""

    min: float = -1.0
    max: float = 1.0
    rows = ({"min": 0.0, "max": 6.0}, {"min": -0.5}, {"max": 2.0}, {})

    @staticmethod
    def infer(x: TensorType, **attrs: Any) -> TensorType:
        if not attrs["min"] <= attrs["max"]:
            raise ValueError(f"hard_tanh: min must not be above max, got {attrs['min']} and {attrs['max']}")
        return x

    @staticmethod
    def evaluate(x: Array, min: float, max: float) -> Array:
        return np.minimum(np.maximum(x, x.dtype.type(min)), x.dtype.type(max))

    @staticmethod
    def vjp(cotangent: Array, x: Array, min: float, max: float) -> dict[str, Array]:
        return {"x": cotangent * ((x > x.dtype.type(min)) & (x < x.dtype.type(max)))}

    @staticmethod
    def decompose(b: Builder, x: Value, min: float, max: float) -> Value:
        return b.clip(x, min, max)

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        yield from super().samples(s)
        yield s.case(s.floats(2, 3), min=2.0, max=1.0, name="crossed", error=ValueError)


@op
class Where:
    """`x` where the condition holds, else `y`; what is not chosen has no influence."""

    inputs = ("condition: bool", "x: any", "y: x")

    @staticmethod
    def infer(condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
        return x.with_shape(broadcast_shapes(condition.shape, x.shape, y.shape))

    @staticmethod
    def evaluate(condition: Array, x: Array, y: Array) -> Array:
        return np.where(condition, x, y)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for left, right in PAIRS:
            yield s.case(s.bools(*left), s.floats(*right, edge=True), s.floats(*left))
        yield s.case(s.bools(2, 1), s.floats(3), s.floats(4, 1, 1), name="broadcast")
        for kind in (dtypes.int64, dtypes.uint8):
            yield s.case(s.bools(3, 1), s.ints(3, 4, dtype=kind), s.ints(4, dtype=kind))
        yield s.case(s.bools(3), s.bools(3), s.bools())
        yield s.case(s.bools(3), s.complexes(3), s.complexes())
        yield s.case(s.ints(3), s.floats(3), s.floats(3), name="condition not boolean", error=TypeError)


@op
class Complex:
    """re + i * im."""

    inputs = ("re: float", "im: re")

    @staticmethod
    def infer(re: TensorType, im: TensorType) -> TensorType:
        if re.dtype not in (dtypes.float32, dtypes.float64):
            raise TypeError(f"complex: there is no complex type with parts of {re.dtype}")
        return TensorType(re.dtype.complex, broadcast_shapes(re.shape, im.shape))

    @staticmethod
    def evaluate(re: Array, im: Array) -> Array:
        out = np.empty(np.broadcast_shapes(re.shape, im.shape), np.result_type(re.dtype, np.complex64))
        out.real, out.imag = re, im
        return out

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            yield s.case(s.floats(2, 3, dtype=kind), s.floats(3, dtype=kind))
            yield s.case(s.floats(dtype=kind), s.floats(dtype=kind))
        yield s.case(s.floats(0, 3, dtype=dtypes.float32), s.floats(1, 3, dtype=dtypes.float32))
        yield s.case(s.floats(3, dtype=dtypes.float16), s.floats(3, dtype=dtypes.float16), error=TypeError)
