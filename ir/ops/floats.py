"""Parts and neighbours of floats, as the C library has them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ir.ops.families import Binary, Unary
from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.types import DType, TensorType, broadcast_shapes, dtypes


@op
class Signbit(Unary):
    """Whether the sign of a float is set: of -0.0 it is. Of NaN the sign is not part of the contract."""

    discontinuous = True

    @staticmethod
    def infer(x: TensorType, **attrs: Any) -> TensorType:
        return x.with_dtype(dtypes.bool_)

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.signbit(x) & ~np.isnan(x)

    @staticmethod
    def decompose(b: Any, x: Any) -> Any:
        """A zero tells its sign by its reciprocal."""
        return b.or_(b.less(x, 0.0), b.less(b.reciprocal(x), 0.0))


@op
class Frexp:
    """x as mantissa times two to the exponent, the mantissa's size in [1/2, 1); 0 is 0 and 0. Infinities and NaN are their
    own mantissa, with exponent 0."""

    inputs = ("x: float",)
    outputs = ("mantissa", "exponent")
    discontinuous = True

    @staticmethod
    def infer(x: TensorType) -> tuple[TensorType, TensorType]:
        return x, x.with_dtype(dtypes.int32)

    @staticmethod
    def evaluate(x: Array) -> tuple[Array, Array]:
        mantissa, exponent = np.frexp(x.astype(np.float64))
        return mantissa.astype(x.dtype), np.where(np.isfinite(x), exponent, 0).astype(np.int32)

    @staticmethod
    def decompose(b: Any, x: Any) -> tuple[Any, Any]:
        """By the logarithm, in float64, which holds powers of two of all float32 exactly. Of a power of two it may come out
        just below a whole number; of other float32 it is farther from one than it can be wrong."""
        if x.type.dtype == dtypes.float64:
            raise NotImplementedError("float64 has no form of that precision")
        wide = b.cast(x, to=dtypes.float64)
        size = b.abs(wide)
        plain = b.not_(b.or_(b.equal(size, 0.0), b.or_(b.isinf(size), b.isnan(size))))
        size = b.where(plain, size, 1.0)
        exponent = b.add(b.floor(b.mul(b.log(size), 1 / math.log(2))), 1.0)
        two = b.constant(2.0, dtypes.float64)
        mantissa = b.mul(size, b.pow(two, b.neg(exponent)))
        exponent = b.add(exponent, b.cast(b.greater_equal(mantissa, 1.0), to=dtypes.float64))
        mantissa = b.mul(b.sign(wide), b.mul(size, b.pow(two, b.neg(exponent))))
        whole = b.where(plain, exponent, 0.0)
        return b.cast(b.where(plain, mantissa, wide), to=x.type.dtype), b.cast(whole, to=dtypes.int32)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(s.floats(3, 4, low=-100, high=100))
        yield s.case(
            np.array([0.0, 1, 2, 4, 0.5, 0.25, -0.125, 1e-30, np.inf, -np.inf, np.nan, 3]).astype(s.float_dtype.numpy)
        )
        yield s.case(s.floats(), name="0-d")
        yield s.case(s.floats(0, 2), name="empty")


@op
class Nextafter(Binary):
    """The neighbour of x among the numbers of type `of` in the direction of y; y where they are equal."""

    inputs = ("x: float", "y: x")
    integers = False
    exact_dtypes = True
    of: DType

    @staticmethod
    def infer(x: TensorType, y: TensorType, **attrs: Any) -> TensorType:
        if attrs["of"] != x.dtype or x.dtype not in (dtypes.float32, dtypes.float64):
            raise TypeError(f"nextafter: no neighbours of {x.dtype} among {attrs['of']}")
        return x.with_shape(broadcast_shapes(x.shape, y.shape))

    @staticmethod
    def evaluate(x: Array, y: Array, of: DType) -> Array:
        """The reference evaluator widens float32, whose neighbours lie elsewhere."""
        return np.nextafter(x.astype(of.numpy), y.astype(of.numpy)).astype(x.dtype)

    @staticmethod
    def decompose(b: Any, x: Any, y: Any, of: DType) -> Any:
        """Bits read as an integer count the numbers of one sign from 0 on: one more or less of them."""
        whole, least = dtypes.int64 if of.bits == 64 else dtypes.int32, float(np.finfo(of.numpy).smallest_subnormal)
        up = b.greater(y, x)
        away = b.equal(up, b.greater(x, 0.0))
        step = b.where(away, b.constant(1, whole), b.constant(-1, whole))
        moved = b.bitcast(b.add(b.bitcast(x, to=whole), step), to=of)
        first = b.where(up, b.constant(least, of), b.constant(-least, of))
        moved = b.where(b.equal(x, y), y, b.where(b.equal(x, 0.0), first, moved))
        return b.where(b.or_(b.isnan(x), b.isnan(y)), b.add(x, y), moved)

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            form = np.finfo(kind.numpy)
            ends = (form.tiny, form.smallest_subnormal, form.max)
            edges = np.array([0.0, -0.0, 1.0, -1.0, 2.5, 1e-30, np.inf, -np.inf, np.nan, *ends], kind.numpy)
            yield s.case(edges[:, None], edges[None, :], of=kind)
            yield s.case(s.floats(2, 3, dtype=kind), s.floats(3, dtype=kind), of=kind, name="broadcast")
        other = s.floats(3, dtype=dtypes.float32)
        yield s.case(other, other, of=dtypes.float64, error=TypeError, name="another type's")
