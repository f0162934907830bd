"""Reductions over axes. `axes=None` means all, `axes=()` none (the operand itself is the result, element by element).

The result keeps the operand's dtype (integers wrap). Over no elements: sums are 0, products 1, `any` False, `all` True,
means and variances NaN, log-sum-exp -inf; `max` and `min` raise ValueError unless the result itself is empty.
Gradients are the plain derivatives. Elements tied for a maximum or minimum share its gradient equally, or the first of them
takes it (`ties="first"`, over one axis), as with PyTorch's `max(dim)`, which also tells positions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ir.ops.families import INTEGERS
from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.types import Dim, TensorType, dtypes, normalize_axes, numel

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value

Axes = tuple[int, ...] | None


def reduced_axes(axes: Axes, rank: int) -> tuple[int, ...]:
    """The axes that are reduced, non-negative."""
    return tuple(range(rank)) if axes is None else normalize_axes(axes, rank)


def reduced(x: TensorType, axes: Axes, keepdims: bool) -> TensorType:
    """`x` without the reduced axes, or with size 1 there."""
    gone = set(reduced_axes(axes, x.rank))
    return x.with_shape((1 if i in gone else d) for i, d in enumerate(x.shape) if keepdims or i not in gone)


def reduced_count(x: TensorType, axes: Axes) -> Dim:
    """How many elements fall into each result."""
    return numel(x.shape[i] for i in reduced_axes(axes, x.rank))


class _Reduction:
    """One operand, reduced over `axes`."""

    inputs: ClassVar[tuple[str, ...]] = ("x: float",)
    integers: ClassVar[bool] = False
    empty: ClassVar[bool] = True  # defined over no elements
    edge: ClassVar[bool] = True  # the largest floats do not overflow inside
    axes: Axes = None
    keepdims: bool = False

    @staticmethod
    def infer(x: TensorType, axes: Axes, keepdims: bool, **attrs: Any) -> TensorType:
        return reduced(x, axes, keepdims)

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        rows: tuple[tuple[Axes, bool], ...] = ((None, False), (None, True), ((0,), True), ((-1, 0), False), ((), False))
        for axes, keepdims in rows:
            yield s.case(s.floats(2, 3, 4), axes=axes, keepdims=keepdims)
        if cls.edge:
            yield s.case(s.floats(5, 7, edge=True), axes=(1,), name="edges")
        specials = [[np.nan, 1, 2], [np.inf, 1, 2], [-np.inf, 1, 2], [np.inf, -np.inf, 1], [-np.inf] * 3, [np.nan] * 3]
        yield s.case(np.array(specials, s.float_dtype.numpy), axes=(1,), name="NaN and infinities")
        yield s.case(s.floats(), axes=None, name="0-d")
        yield s.case(s.floats(), axes=(), keepdims=True, name="0-d")
        yield s.case(s.floats(1, 3), axes=(0,), name="one element")
        yield s.case(s.floats(0, 3), axes=(1,), name="empty result")
        yield s.case(s.floats(2, 0), axes=(1,), name="no elements", error=None if cls.empty else ValueError)
        yield s.case(s.floats(2, 3), axes=(2,), name="axis out of range", error=ValueError)
        yield s.case(s.floats(2, 3), axes=(1, -1), name="repeated axis", error=ValueError)
        for kind in INTEGERS if cls.integers else ():
            yield s.case(s.ints(3, 4, dtype=kind), axes=(1,), name="integers")
            yield s.case(s.int_edges(kind), axes=(0,), name="integer edges")
        if cls.integers:
            yield s.case(s.ints(2, 5), axes=(1,), name="odd number of integers")
            yield s.case(s.ints(2, 0), axes=(1,), name="no integers", error=None if cls.empty else ValueError)


# -- sums, products, extremes ---------------------------------------------------------------------------------------
@op
class ReduceSum(_Reduction):
    """Sum of elements."""

    inputs = ("x: numeric",)
    integers = True

    @staticmethod
    def evaluate(x: Array, axes: Axes, keepdims: bool) -> Array:
        return np.sum(x, axis=axes, keepdims=keepdims, dtype=x.dtype)


@op
class ReduceProd(_Reduction):
    """Product of elements."""

    inputs = ("x: numeric",)
    integers = True

    @staticmethod
    def evaluate(x: Array, axes: Axes, keepdims: bool) -> Array:
        return np.prod(x, axis=axes, keepdims=keepdims, dtype=x.dtype)


@op
class ReduceMean(_Reduction):
    """Arithmetic mean."""

    inputs = ("x: inexact",)

    @staticmethod
    def evaluate(x: Array, axes: Axes, keepdims: bool) -> Array:
        count = math.prod(x.shape[i] for i in reduced_axes(axes, x.ndim))
        return np.divide(np.sum(x, axis=axes, keepdims=keepdims), count)


class _Extreme(_Reduction):
    """The largest or smallest element."""

    inputs = ("x: real",)
    integers = True
    empty = False
    ties: Literal["share", "first"] = "share"

    @staticmethod
    def infer(x: TensorType, axes: Axes, keepdims: bool, **attrs: Any) -> TensorType:
        if attrs["ties"] == "first" and len(reduced_axes(axes, x.rank)) != 1:
            raise ValueError("the first of tied elements is defined along one axis")
        return reduced(x, axes, keepdims)

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        yield from super().samples(s)
        tied = s.ints(4, 5, low=0, high=3).astype(s.float_dtype.numpy)
        yield s.case(tied, axes=(1,), name="ties")
        for axes, keepdims in (((1,), False), ((-2,), True)):
            yield s.case(tied, axes=axes, keepdims=keepdims, ties="first", name="first of ties")
        yield s.case(tied, axes=(0, 1), ties="first", name="first of two axes", error=ValueError)


@op
class ReduceMax(_Extreme):
    """Largest element; NaN where there is one."""

    @staticmethod
    def evaluate(x: Array, axes: Axes, keepdims: bool, ties: str) -> Array:
        return np.max(x, axis=axes, keepdims=keepdims)

    @staticmethod
    def vjp(cotangent: Array, x: Array, axes: Axes, keepdims: bool, ties: str) -> dict[str, Array]:
        return _on_chosen(cotangent, x, np.max(x, axis=axes, keepdims=keepdims), axes, keepdims, ties)


@op
class ReduceMin(_Extreme):
    """Smallest element; NaN where there is one."""

    @staticmethod
    def evaluate(x: Array, axes: Axes, keepdims: bool, ties: str) -> Array:
        return np.min(x, axis=axes, keepdims=keepdims)

    @staticmethod
    def vjp(cotangent: Array, x: Array, axes: Axes, keepdims: bool, ties: str) -> dict[str, Array]:
        return _on_chosen(cotangent, x, np.min(x, axis=axes, keepdims=keepdims), axes, keepdims, ties)


def _on_chosen(cotangent: Array, x: Array, chosen: Array, axes: Axes, keepdims: bool, ties: str) -> dict[str, Array]:
    """The cotangent of an extreme, in equal parts on the elements equal to it, or whole on the first of them."""
    axis = reduced_axes(axes, x.ndim)
    if not keepdims:
        cotangent, chosen = np.expand_dims(cotangent, axis), np.expand_dims(chosen, axis)
    tied = x == chosen
    if ties == "first":
        tied &= np.cumsum(tied, axis=axis[0]) == 1
    return {"x": tied * (cotangent / np.maximum(tied.sum(axis=axis, keepdims=True), 1))}


class _BoolReduction(_Reduction):
    """A reduction of booleans."""

    inputs = ("x: bool",)

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        rows: tuple[tuple[Axes, bool], ...] = ((None, False), ((0,), True), ((-1, 0), False), ((), True), ((2,), False))
        for axes, keepdims in rows:
            yield s.case(s.bools(2, 3, 2), axes=axes, keepdims=keepdims)
        for shape in ((), (0,), (2, 0)):
            yield s.case(s.bools(*shape), axes=None)
        yield s.case(s.ints(2, 3), name="not boolean", error=TypeError)


@op
class ReduceAny(_BoolReduction):
    """Whether any element is true."""

    @staticmethod
    def evaluate(x: Array, axes: Axes, keepdims: bool) -> Array:
        return np.any(x, axis=axes, keepdims=keepdims)

    @staticmethod
    def decompose(b: Builder, x: Value, axes: Axes, keepdims: bool) -> Value:
        return b.not_(b.reduce_all(b.not_(x), axes=axes, keepdims=keepdims))


@op
class ReduceAll(_BoolReduction):
    """Whether every element is true."""

    @staticmethod
    def evaluate(x: Array, axes: Axes, keepdims: bool) -> Array:
        return np.all(x, axis=axes, keepdims=keepdims)


# -- norms and moments ----------------------------------------------------------------------------------------------
@op
class ReduceLogSumExp(_Reduction):
    """log(sum(exp(x))), shifted by the maximum so that it does not overflow."""

    @staticmethod
    def evaluate(x: Array, axes: Axes, keepdims: bool) -> Array:
        axis = reduced_axes(axes, x.ndim)
        top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
        shift = np.where(np.isfinite(top), top, 0).astype(x.dtype)
        out = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
        return out if keepdims else out.squeeze(axis)

    @staticmethod
    def decompose(b: Builder, x: Value, axes: Axes, keepdims: bool) -> Value:
        axes = reduced_axes(axes, x.type.rank)
        if reduced_count(x.type, axes) == 0:
            return b.log(b.reduce_sum(b.exp(x), axes=axes, keepdims=keepdims))
        top = b.reduce_max(x, axes=axes, keepdims=True)
        shift = b.where(b.isfinite(top), top, 0.0)
        total = b.log(b.reduce_sum(b.exp(b.sub(x, shift)), axes=axes, keepdims=True))
        out = b.add(total, shift)
        return out if keepdims else b.squeeze(out, axes=axes)


@op
class ReduceL1(_Reduction):
    """Sum of absolute values."""

    @staticmethod
    def evaluate(x: Array, axes: Axes, keepdims: bool) -> Array:
        return np.sum(np.abs(x), axis=axes, keepdims=keepdims)

    @staticmethod
    def decompose(b: Builder, x: Value, axes: Axes, keepdims: bool) -> Value:
        return b.reduce_sum(b.abs(x), axes=axes, keepdims=keepdims)


@op
class ReduceL2(_Reduction):
    """Square root of the sum of squares. Its gradient at 0 is 0."""

    edge = False

    @staticmethod
    def evaluate(x: Array, axes: Axes, keepdims: bool) -> Array:
        return np.sqrt(np.sum(np.square(x), axis=axes, keepdims=keepdims))

    @staticmethod
    def decompose(b: Builder, x: Value, axes: Axes, keepdims: bool) -> Value:
        return _root(b, b.reduce_sum(b.square(x), axes=axes, keepdims=keepdims))


@op
class ReduceSumSquare(_Reduction):
    """Sum of squares."""

    @staticmethod
    def evaluate(x: Array, axes: Axes, keepdims: bool) -> Array:
        return np.sum(np.square(x), axis=axes, keepdims=keepdims)

    @staticmethod
    def decompose(b: Builder, x: Value, axes: Axes, keepdims: bool) -> Value:
        return b.reduce_sum(b.square(x), axes=axes, keepdims=keepdims)


def _root(b: Builder, x: Value) -> Value:
    """The square root, whose gradient at 0 is 0 here: that of a length, which is infinite times 0 for plain `sqrt`."""
    some = b.not_equal(x, 0.0)
    return b.where(some, b.sqrt(b.where(some, x, 1.0)), 0.0)


def _variance(x: Array, axes: Axes, keepdims: bool, correction: float) -> Array:
    axis = reduced_axes(axes, x.ndim)
    count = math.prod(x.shape[i] for i in axis)
    mean = np.divide(np.sum(x, axis=axis, keepdims=True), count)
    total = np.sum(np.square(x - mean), axis=axis, keepdims=keepdims)
    return np.divide(total, max(count - correction, 0.0))


def _corrected(b: Builder, x: Value, axes: Axes, correction: float) -> Value:
    """n / max(n - correction, 0) for the n elements reduced: what turns a mean of squares into a variance."""
    count = reduced_count(x.type, axes)
    if isinstance(count, int):
        rest = max(count - correction, 0.0)
        return b.constant(count / rest if rest else np.inf, x.type.dtype)
    n = b.cast(b.dim(size=count), to=dtypes.float32 if x.type.dtype.is_half else x.type.dtype)
    return b.cast(b.div(n, b.maximum(b.sub(n, correction), 0.0)), to=x.type.dtype)


class _Moment(_Reduction):
    """A second moment about the mean, divided by max(n - correction, 0)."""

    edge = False
    correction: float = 1.0

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        yield from super().samples(s)
        for correction in (0.0, 1.0, 1.5):
            yield s.case(s.floats(4, 5), axes=(0,), correction=correction)
        yield s.case(s.floats(2, 3), axes=(0,), correction=2.0, name="nothing left")
        yield s.case(s.floats(2, 3), axes=(0,), correction=3.0, name="less than nothing left")


@op
class ReduceVar(_Moment):
    """Variance: the sum of squared distances from the mean over max(n - correction, 0)."""

    @staticmethod
    def evaluate(x: Array, axes: Axes, keepdims: bool, correction: float) -> Array:
        return _variance(x, axes, keepdims, correction)

    @staticmethod
    def decompose(b: Builder, x: Value, axes: Axes, keepdims: bool, correction: float) -> Value:
        distance = b.sub(x, b.reduce_mean(x, axes=axes, keepdims=True))
        mean = b.reduce_mean(b.square(distance), axes=axes, keepdims=keepdims)
        return mean if correction == 0 else b.mul(mean, _corrected(b, x, axes, correction))


@op
class ReduceStd(_Moment):
    """Standard deviation, the square root of `reduce_var`. Its gradient at 0 is 0."""

    @staticmethod
    def evaluate(x: Array, axes: Axes, keepdims: bool, correction: float) -> Array:
        return np.sqrt(_variance(x, axes, keepdims, correction))

    @staticmethod
    def decompose(b: Builder, x: Value, axes: Axes, keepdims: bool, correction: float) -> Value:
        return _root(b, b.reduce_var(x, axes=axes, keepdims=keepdims, correction=correction))
