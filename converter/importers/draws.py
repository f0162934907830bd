"""Distributions made of uniform numbers: the IR carries a distribution over, not the numbers of one generator."""

from __future__ import annotations

from collections.abc import Sequence

from ir.core import Builder, Value
from ir.types import Dim, dtypes

BOUNDS = 0.022750131948179195, 0.9772498680518208
"""The shares of a normal distribution below -2 and 2 deviations."""
_TINY = float(2.0**-100)


def whole(b: Builder, shape: Sequence[Dim], low: float, high: float) -> Value:
    """Whole numbers from low to high - 1, in float64."""
    drawn: Value = b.floor(b.random_uniform(shape=tuple(shape), low=low, high=high, dtype=dtypes.float64))
    return drawn


def truncated_normal(b: Builder, shape: Sequence[Dim]) -> Value:
    """Normal numbers within two deviations, in float64: the quantile of uniform numbers between those of -2 and 2."""
    low, high = BOUNDS
    drawn: Value = b.ndtri(b.random_uniform(shape=tuple(shape), low=low, high=high, dtype=dtypes.float64))
    return drawn


def categories(b: Builder, logits: Value, count: Dim) -> Value:
    """`count` classes for each row of logits [rows, classes], int64: where the logit plus a draw of Gumbel's is largest."""
    rows, classes = logits.type.shape
    drawn = b.random_uniform(shape=(rows, count, classes), low=_TINY, high=1.0, dtype=dtypes.float64)
    noise = b.neg(b.log(b.neg(b.log(drawn))))
    wide = b.unsqueeze(logits, axes=(1,))
    wide = wide if wide.type.dtype == dtypes.float64 else b.cast(wide, to=dtypes.float64)
    found: Value = b.argmax(b.add(wide, noise), axis=2)
    return found


def shuffled(b: Builder, value: Value, axis: int) -> Value:
    """The slices along an axis in the order of uniform numbers."""
    _, order = b.sort(b.random_uniform(shape=(value.type.shape[axis],), dtype=dtypes.float64), axis=0)
    found: Value = b.gather(value, order, axis=axis, neg="invalid")
    return found
