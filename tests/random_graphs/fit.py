"""Glue: a value of any type made into one of a wanted type by casts, reshapes, broadcasts, slices and sums."""

from __future__ import annotations

import numpy as np

from ir.core import Value
from ir.types import DimExpr, DType, TensorType
from tests.random_graphs.level import Level, Unfit


def fit(level: Level, value: Value, wanted: TensorType, like: np.ndarray) -> Value:
    """`value` in the wanted type. Integers come to lie in the range of `like`: what reads them may index with them."""
    if value.type.dtype.is_complex != wanted.dtype.is_complex:
        raise Unfit("complex and real do not mix")
    value = _shaped(level, value, wanted)
    if wanted.dtype.is_integer:
        return _ranged(level, value, wanted.dtype, like)
    return _cast(level, value, wanted.dtype)


def _cast(level: Level, value: Value, to: DType) -> Value:
    if value.type.dtype == to:
        return value
    if to.is_bool and value.type.dtype.is_float:
        return level.one("greater", value, level.one("constant", value=np.zeros((), value.type.dtype.numpy)))
    return level.one("cast", value, to=to)


def _ranged(level: Level, value: Value, to: DType, like: np.ndarray) -> Value:
    """Integers of the range that `like` spans, by remainder; values within it stay."""
    low, high = (int(like.min()), int(like.max())) if like.size else (0, 1)
    value = _cast(level, value, to)
    array = level.arrays[value]
    if array.size and low <= int(array.min()) and int(array.max()) <= high and level.drawing.chance(0.5):
        return value
    span = high - low + 1
    if not to.holds(span) or span <= 0:
        raise Unfit("the integers span too much")
    turned = level.one("mod", value, level.one("constant", value=np.asarray(span, to.numpy)))
    return level.one("add", turned, level.one("constant", value=np.asarray(low, to.numpy))) if low else turned


def _shaped(level: Level, value: Value, wanted: TensorType) -> Value:
    if value.type.shape == wanted.shape:
        return value
    value = _static(level, value, keep=wanted)
    if value.type.shape == wanted.shape:
        return value
    static = tuple(1 if isinstance(d, DimExpr) else d for d in wanted.shape)
    value = _static(level, value)
    have, want = int(np.prod(value.type.shape)), int(np.prod(static))
    if _broadcasts(value.type.shape, wanted.shape) and level.drawing.chance(0.6):
        return level.one("expand", value, shape=wanted.shape)
    if have != want:
        value = _resized(level, value, have, want)
    if value.type.shape != static:
        value = level.one("reshape", value, shape=static)
    return value if static == wanted.shape else level.one("expand", value, shape=wanted.shape)


def _static(level: Level, value: Value, keep: TensorType | None = None) -> Value:
    """Symbolic axes summed or averaged away, but those that stand where `keep` has them."""
    if keep is not None and value.type.rank == keep.rank:
        pairs = zip(value.type.shape, keep.shape)
        axes = tuple(i for i, (d, k) in enumerate(pairs) if isinstance(d, DimExpr) and d != k)
        if not axes and all(d == k or d == 1 for d, k in zip(value.type.shape, keep.shape)):
            return level.one("expand", value, shape=keep.shape)
        return value
    axes = tuple(i for i, d in enumerate(value.type.shape) if isinstance(d, DimExpr))
    if not axes:
        return value
    if value.type.dtype.is_bool:
        return level.one("reduce_any", value, axes=axes)
    mean = value.type.dtype.is_float and level.drawing.chance(0.4) and level.arrays[value].size
    return level.one("reduce_mean" if mean else "reduce_sum", value, axes=axes)


def _broadcasts(have: tuple[object, ...], want: tuple[object, ...]) -> bool:
    tail = want[len(want) - len(have) :] if len(have) <= len(want) else ()
    return len(have) <= len(want) and all(d == 1 or d == w for d, w in zip(have, tail))


def _resized(level: Level, value: Value, have: int, want: int) -> Value:
    """The first elements of the flat value, repeated where there are too few."""
    if not have:
        raise Unfit("nothing comes of an empty tensor")
    value = level.one("reshape", value, shape=(have,))
    if want > have:
        times = -(-want // have)
        if level.drawing.chance(0.5):
            value = level.one("concat", (value,) * times, axis=0)
        else:
            value = level.one("reshape", level.one("expand", value, shape=(times, have)), shape=(times * have,))
    return level.one("slice", value, axes=(0,), starts=(0,), stops=(want,), steps=(1,))
