"""Mixins of op families: the inference and the samples that the members share.

A member adds its docstring, `evaluate`, and what differs: `inputs`, ranges, attribute rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from ir.ops.sampler import Sample, Sampler
from ir.types import TensorType, broadcast_shapes, dtypes, normalize_axis

INTEGERS = (dtypes.int64, dtypes.int32, dtypes.int8, dtypes.uint8)
PAIRS: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((2, 3), (2, 3)), ((2, 3), (3,)), ((4,), (2, 1, 4)), ((2, 1, 4), (3, 1)), ((), (2, 3)), ((2, 1), ()), ((), ()),
    ((0, 3), (1, 3)), ((1,), (0,)),
)  # fmt: skip


class Unary:
    """One float operand, result of the same type. `rows` lists the attributes of each group of samples."""

    inputs: ClassVar[tuple[str, ...]] = ("x: float",)
    low: ClassVar[float] = -3.0
    high: ClassVar[float] = 3.0
    rows: ClassVar[tuple[dict[str, Any], ...]] = ({},)

    @staticmethod
    def infer(x: TensorType, **attrs: Any) -> TensorType:
        return x

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        for attrs in cls.rows:
            yield s.case(s.floats(2, 3, low=cls.low, high=cls.high), **attrs)
            yield s.case(s.floats(5, 6, low=cls.low, high=cls.high, edge=True), name="edges", **attrs)
        yield s.case(s.floats(low=cls.low, high=cls.high), name="0-d", **cls.rows[-1])
        yield s.case(s.floats(2, 0, 3), name="empty", **cls.rows[-1])


class UnaryInexact(Unary):
    """As Unary, for floats and complex numbers."""

    inputs = ("x: inexact",)

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        yield from super().samples(s)
        for kind in (dtypes.complex64, dtypes.complex128):
            yield s.case(s.complexes(2, 3, dtype=kind), name="complex")


class UnaryReal(Unary):
    """As Unary, for floats and integers."""

    inputs = ("x: real",)

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        yield from super().samples(s)
        for kind in INTEGERS:
            yield s.case(s.int_edges(kind), name="integers", **cls.rows[-1])


class UnaryNumeric(UnaryReal):
    """As Unary, for floats, integers and complex numbers."""

    inputs = ("x: numeric",)

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        yield from super().samples(s)
        yield s.case(s.complexes(2, 3), name="complex")


class Binary:
    """Two operands of one dtype, broadcast; result of that dtype.

    `zero` is False for divisions, whose integer divisors must not be 0. Edge samples pair every edge with every other.
    """

    inputs: ClassVar[tuple[str, ...]] = ("x: real", "y: x")
    low: ClassVar[float] = -3.0
    high: ClassVar[float] = 3.0
    zero: ClassVar[bool] = True
    floats: ClassVar[bool] = True
    integers: ClassVar[bool] = True
    complexes: ClassVar[bool] = False

    @staticmethod
    def infer(x: TensorType, y: TensorType) -> TensorType:
        return x.with_shape(broadcast_shapes(x.shape, y.shape))

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        if cls.floats:
            for left, right in PAIRS:
                yield s.case(s.floats(*left, low=cls.low, high=cls.high), s.floats(*right, low=cls.low, high=cls.high))
            edges = s.float_edges()
            yield s.case(edges[:, None], edges[None, :], name="edges")
        yield from cls.integer_samples(s) if cls.integers else ()
        if cls.complexes:
            yield s.case(s.complexes(2, 3), s.complexes(3), name="complex")
        refusal = ValueError if cls.integers else TypeError
        yield s.case(s.ints(2, 3), s.ints(2, 2, low=1), name="sizes differ", error=refusal)

    @classmethod
    def integer_samples(cls, s: Sampler) -> Iterator[Sample]:
        """Small integers in several shapes, and all pairs of extremes."""
        for kind in INTEGERS:
            edges = s.int_edges(kind)
            yield s.case(edges[:, None], s.int_edges(kind, cls.zero)[None, :], name="integer edges")
        for left, right in PAIRS[1:4]:
            yield s.case(s.ints(*left), s.ints(*right, low=1), name="integers")
        if not cls.zero:
            yield s.case(s.ints(2, 3), s.ints(3, low=0, high=1), name="division by zero", error=ValueError)


class Compare(Binary):
    """Two operands of one dtype, broadcast; boolean result."""

    discontinuous: ClassVar[bool] = True

    @staticmethod
    def infer(x: TensorType, y: TensorType) -> TensorType:
        return TensorType(dtypes.bool_, broadcast_shapes(x.shape, y.shape))


class Logical(Binary):
    """Two booleans, broadcast; boolean result."""

    inputs = ("x: bool", "y: bool")

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        for left, right in PAIRS:
            yield s.case(s.bools(*left), s.bools(*right))
        yield s.case(s.ints(2), s.bools(2), name="not boolean", error=TypeError)


class AlongAxis:
    """A float operand, normalised along `axis`."""

    inputs: ClassVar[tuple[str, ...]] = ("x: float",)
    axis: int = -1

    @staticmethod
    def infer(x: TensorType, axis: int) -> TensorType:
        normalize_axis(axis, x.rank)
        return x

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for axis in (-1, 0, 1, -3):
            yield s.case(s.floats(2, 3, 4), axis=axis)
        yield s.case(s.floats(5, 7, edge=True), axis=1, name="edges")
        low = float(s.float_dtype.min)
        masks = np.array([[-np.inf, -np.inf], [low, low], [-np.inf, 1.0]], s.float_dtype.numpy)
        yield s.case(masks, name="masks")
        yield s.case(s.floats(3, low=80.0, high=120.0), name="large")
        yield s.case(s.floats(1), name="one element")
        yield s.case(s.floats(0, 3), name="no rows")
        yield s.case(s.floats(3, 0), name="empty rows")
        yield s.case(s.floats(2, 3), axis=2, name="axis out of range", error=ValueError)
