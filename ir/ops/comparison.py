"""Comparisons. Results are boolean; every comparison with NaN is false except `not_equal`. -0 equals 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ir.ops.families import Compare, Unary
from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.types import TensorType, dtypes

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value


class _Equality(Compare):
    """Comparisons for equality are defined for every dtype."""

    inputs = ("x: any", "y: x")
    complexes = True

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        yield from super().samples(s)
        yield s.case(s.bools(2, 3), s.bools(3))
        x = s.complexes(3)
        yield s.case(x, x, name="complex")


@op
class Equal(_Equality):
    """x == y."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.equal(x, y)


@op
class NotEqual(_Equality):
    """x != y."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.not_equal(x, y)

    @staticmethod
    def decompose(b: Builder, x: Value, y: Value) -> Value:
        return b.not_(b.equal(x, y))


@op
class Less(Compare):
    """x < y."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.less(x, y)


@op
class LessEqual(Compare):
    """x <= y."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.less_equal(x, y)

    @staticmethod
    def decompose(b: Builder, x: Value, y: Value) -> Value:
        return b.or_(b.less(x, y), b.equal(x, y))


@op
class Greater(Compare):
    """x > y."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.greater(x, y)

    @staticmethod
    def decompose(b: Builder, x: Value, y: Value) -> Value:
        return b.less(y, x)


@op
class GreaterEqual(Compare):
    """x >= y."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.greater_equal(x, y)

    @staticmethod
    def decompose(b: Builder, x: Value, y: Value) -> Value:
        return b.less_equal(y, x)


class _FloatTest(Unary):
    """A test of each float."""

    discontinuous = True

    @staticmethod
    def infer(x: TensorType, **attrs: bool) -> TensorType:
        return x.with_dtype(dtypes.bool_)


@op
class Isnan(_FloatTest):
    """Whether x is NaN."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.isnan(x)

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.not_equal(x, x)


@op
class Isfinite(_FloatTest):
    """Whether x is neither NaN nor infinite."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.isfinite(x)

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.less(b.abs(x), np.inf)


@op
class Isinf(_FloatTest):
    """Whether x is infinite, of the signs asked for."""

    positive: bool = True
    negative: bool = True
    rows = ({"positive": False}, {"negative": False}, {"positive": False, "negative": False}, {})

    @staticmethod
    def evaluate(x: Array, positive: bool, negative: bool) -> Array:
        return (np.isposinf(x) & positive) | (np.isneginf(x) & negative)

    @staticmethod
    def decompose(b: Builder, x: Value, positive: bool, negative: bool) -> Value:
        tests = [b.equal(x, bound) for bound, wanted in ((np.inf, positive), (-np.inf, negative)) if wanted]
        if not tests:
            return b.not_equal(b.equal(x, x), b.equal(x, x))
        return tests[0] if len(tests) == 1 else b.or_(*tests)
