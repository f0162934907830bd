"""Lookups of integers in what is known at conversion: where each of them stands."""

from __future__ import annotations

import numpy as np

from ir.core import Builder, Value

SPREAD = 4
"""Keys may leave this many numbers between them, on average, to be places of an array."""


def places(b: Builder, x: Value, keys: np.ndarray) -> Value:
    """Where each number of `x` (int64) stands among the different `keys` [n] (int64); n where it does not."""
    count = len(keys)
    if not count:
        return b.mul(x, 0)
    first, span = int(keys.min()), int(keys.max()) - int(keys.min()) + 1
    if span > SPREAD * count:
        equal = b.equal(b.unsqueeze(x, axes=(x.type.rank,)), b.constant(keys))
        return b.reduce_min(b.where(equal, b.constant(np.arange(count)), count), axes=(x.type.rank,))
    inside = b.and_(b.greater_equal(x, first), b.less_equal(x, first + span - 1))
    at = b.sub(b.clip(x, first, first + span - 1), first)
    if not (keys == first + np.arange(count)).all():
        table = np.full(span, count)
        table[keys - first] = np.arange(count)
        at = b.gather(b.constant(table), at, axis=0, bounds="unchecked", neg="invalid")
    return b.where(inside, at, count)
