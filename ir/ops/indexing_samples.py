"""Samples of reads at computed positions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ir.ops.sampler import Sample, Sampler
from ir.types import dtypes
from ir.types.errors import AxisError, DTypeError, PositionError, ShapeError

BEYOND = np.array([2**64 - 2, 1, 2**63 + 1], np.uint64)
"""Unsigned indices that int64 cannot hold: out of range of any axis, and negative when their bits are read as int64."""


def gather(s: Sampler) -> Iterator[Sample]:
    """Axes, what lies outside, batches, index types, and what is refused."""
    x = s.floats(4, 3, 5)
    for axis in (0, 1, 2, -1, -2):
        yield s.case(x, s.ints(2, 3, low=-3, high=3), axis=axis)
    for bounds in ("clip", "wrap", "fill"):
        for neg in ("from_end", "invalid"):
            i = np.array([0, -1, 4, 9, -9, 1, np.iinfo(np.int64).min])
            yield s.case(x, i, axis=1, bounds=bounds, neg=neg, fill_value=7)
    yield s.case(x, s.ints(4, 2, low=0, high=3), axis=1, batch_dims=1)
    yield s.case(x, s.ints(4, 2, low=0, high=5), axis=2, batch_dims=1, neg="invalid")
    yield s.case(x, s.ints(4, 3, low=-5, high=5), axis=2, batch_dims=2, bounds="unchecked")
    yield s.case(s.floats(2, 3, 4, 2), s.ints(2, 5, low=-4, high=4), axis=2, batch_dims=1, name="axes on both sides")
    yield s.case(x, s.ints(low=0, high=3), axis=1, name="0-d index")
    yield s.case(x, s.ints(0, 2, low=0, high=3), axis=1, name="no index")
    yield s.case(s.floats(0, 3), s.ints(2), bounds="fill", fill_value=float("nan"), name="empty axis, fill")
    for bounds in ("clip", "wrap", "fill"):
        for neg in ("from_end", "invalid"):
            yield s.case(x, BEYOND, axis=1, bounds=bounds, neg=neg, fill_value=7, name="beyond int64")
    yield s.case(s.floats(0, 3), s.ints(2), name="empty axis", error=PositionError)
    yield s.case(s.floats(0, 3), s.ints(0, 2), name="empty axis, no index")
    for kind in ("int32", "uint8", "uint64"):
        yield s.case(s.ints(5, 2, dtype="int16"), s.ints(3, low=0, high=5, dtype=kind))
        yield s.case(x, s.ints(2, low=0, high=3, dtype=kind), axis=-2, neg="invalid", name="never from the end")
    yield s.case(s.bools(5), s.ints(3, low=0, high=5), bounds="fill", fill_value=True)
    yield s.case(x, np.array([0, 4]), name="out of range", error=PositionError)
    yield s.case(x, np.array([0, -1]), neg="invalid", name="negative", error=PositionError)
    yield s.case(x, np.array([0.0]), name="float index", error=DTypeError)
    yield s.case(x, np.array([True]), name="mask as index", error=DTypeError)
    yield s.case(x, s.ints(3, 2, low=0, high=3), axis=1, batch_dims=1, name="batch sizes", error=ShapeError)


def gather_nd(s: Sampler) -> Iterator[Sample]:
    """Depths, batches, what lies outside, and what is refused."""
    x = s.floats(3, 3, 3, 2)
    for depth in (0, 1, 2, 3, 4):
        i = s.ints(2, 5, depth, low=-2, high=2)
        yield s.case(x, i, name=f"depth {depth}")
        yield s.case(x, i % 2, neg="invalid", name=f"depth {depth}")
    for depth in (0, 1, 2):
        yield s.case(x, s.ints(3, 4, depth, low=-3, high=3), batch_dims=1)
    yield s.case(x, s.ints(3, 3, 2, low=-2, high=2), batch_dims=2, bounds="unchecked")
    for bounds in ("clip", "wrap", "fill"):
        far = s.ints(3, 2, 1, low=-9, high=9, dtype="int32")
        yield s.case(x, far, batch_dims=1, bounds=bounds, fill_value=3, name="batch, far")
    i = np.array([[0, -1], [5, 0], [0, 9], [-1, -9], [np.iinfo(np.int64).min, 1]])
    for bounds in ("clip", "wrap", "fill"):
        for neg in ("from_end", "invalid"):
            yield s.case(x, i, bounds=bounds, neg=neg, fill_value=3)
    yield s.case(x, s.ints(0, 2), name="no index")
    yield s.case(s.floats(0, 2), s.ints(2, 1), bounds="fill", fill_value=1, name="empty axis, fill")
    for bounds in ("clip", "wrap", "fill"):
        far = np.stack([BEYOND, BEYOND[::-1]], -1)
        yield s.case(s.floats(5, 3), far, bounds=bounds, fill_value=3, name="beyond int64")
        yield s.case(s.floats(3, 4, 2), BEYOND[:, None, None], batch_dims=1, bounds=bounds, name="beyond int64")
    yield s.case(x, i, name="out of range", error=PositionError)
    yield s.case(s.floats(2), s.ints(2, 2), name="vectors too long", error=ShapeError)


def one_hot(s: Sampler) -> Iterator[Sample]:
    """Axes, values, what lies outside, and what is refused."""
    i = s.ints(3, 4, low=-4, high=5)
    for axis in (-1, 0, 1, -2):
        for neg in ("invalid", "from_end"):
            yield s.case(i, depth=3, axis=axis, neg=neg)
    yield s.case(i, depth=4, on=2.5, off=-0.5, dtype=s.float_dtype)
    yield s.case(s.ints(dtype="int32"), depth=5, dtype=dtypes.int64, on=9, name="0-d")
    yield s.case(s.ints(4, low=0, dtype="uint8"), depth=3, dtype=dtypes.bool_, on=True, off=False)
    yield s.case(np.array([np.iinfo(np.int64).min, 0]), depth=3, neg="from_end", name="lowest index")
    yield s.case(s.ints(0), depth=3, name="no index")
    yield s.case(s.ints(2), depth=0, name="depth 0")
    for axis in (0, -1):
        yield s.case(s.ints(2, 3, low=-3, high=3), depth=3, axis=axis, neg="from_end", bounds="error")
        yield s.case(s.ints(2, 3, low=0, high=5), depth=5, axis=axis, bounds="error", dtype=dtypes.int64)
    yield s.case(s.ints(3, low=0, high=2, dtype="uint8"), depth=2, bounds="error", on=3, off=-1, dtype=dtypes.int32)
    for kind in (s.float_dtype, dtypes.int64):
        yield s.case(s.ints(0), depth=0, bounds="error", dtype=kind, name="no index, depth 0")
    for neg in ("invalid", "from_end"):
        yield s.case(BEYOND, depth=4, neg=neg, name="beyond int64")
    yield s.case(np.array([3]), depth=3, bounds="error", name="out of range", error=PositionError)
    yield s.case(np.array([-1]), depth=3, bounds="error", name="negative", error=PositionError)
    yield s.case(s.ints(2), depth=3, axis=2, name="axis", error=AxisError)
