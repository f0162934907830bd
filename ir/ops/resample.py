"""Sampling along one axis at coordinates that the graph computes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from ir.ops.norm_parts import narrowed, widened
from ir.ops.registry import op
from ir.ops.resize import ROUND, interpolated
from ir.ops.sampler import Sample, Sampler
from ir.types import TensorType, dtypes, normalize_axis

Nearest = Literal["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


@op
class SampleAxis:
    """x along `axis` at the coordinates `at` [n], counted in elements, between them as `resize` does.

    `nearest` takes one element, `linear` two, `cubic` four with Keys' kernel of parameter `cubic_a`. Elements beyond the
    edge repeat it, or with `exclude_outside` (cubic) count nothing.
    """

    name = "sample_axis"
    inputs = ("x: real", "at: float")
    discontinuous = True  # in `at`, where it takes the nearest element
    axis: int
    mode: Literal["nearest", "linear", "cubic"] = "nearest"
    nearest: Nearest = "round_prefer_floor"
    cubic_a: float = -0.75
    exclude_outside: bool = False

    @staticmethod
    def infer(
        x: TensorType, at: TensorType, axis: int, mode: str, nearest: str, cubic_a: float, exclude_outside: bool
    ) -> TensorType:
        axis = normalize_axis(axis, x.rank)
        if at.rank != 1:
            raise ValueError(f"sample_axis: coordinates must be a vector, got {at}")
        if mode != "nearest" and not x.dtype.is_float:
            raise TypeError(f"sample_axis: {mode} interpolation needs floats, got {x.dtype}")
        if exclude_outside and mode != "cubic":
            raise ValueError("sample_axis: exclude_outside is defined for the cubic mode")
        if x.shape[axis] == 0:
            raise ValueError(f"sample_axis: no elements to interpolate along axis {axis} of {x}")
        return x.with_shape((*x.shape[:axis], at.shape[0], *x.shape[axis + 1 :]))

    @staticmethod
    def evaluate(
        x: np.ndarray, at: np.ndarray, axis: int, mode: str, nearest: str, cubic_a: float, exclude_outside: bool
    ) -> np.ndarray:
        moved = np.moveaxis(x, axis, 0)
        if mode == "nearest":
            out = moved[np.clip(ROUND[nearest](at), 0, len(moved) - 1).astype(np.int64)]
        else:
            out = interpolated(moved, at, mode, cubic_a, exclude_outside)  # type: ignore[arg-type]
        return np.ascontiguousarray(np.moveaxis(out, 0, axis))

    @staticmethod
    def decompose(
        b: Any, x: Any, at: Any, axis: int, mode: str, nearest: str, cubic_a: float, exclude_outside: bool
    ) -> Any:
        axis = normalize_axis(axis, x.type.rank)
        last = b.dim(size=x.type.shape[axis] - 1)
        if mode == "nearest":
            return b.gather(x, _index(b, _rounded(b, at, nearest), last), axis=axis, bounds="unchecked")
        like, (x, at) = x, (*widened(b, x), *widened(b, at))
        end = b.cast(last, to=at.type.dtype)
        at = b.minimum(b.maximum(at, 0.0), end) if mode == "linear" else at
        low = b.floor(at)
        fraction = b.sub(at, low)
        taps, weights = _linear(b, fraction) if mode == "linear" else _cubic(b, fraction, cubic_a)
        places = [b.add(low, float(t)) if t else low for t in taps]
        if exclude_outside:
            inside = [b.and_(b.greater_equal(p, 0.0), b.less_equal(p, end)) for p in places]
            weights = [b.where(keep, w, 0.0) for keep, w in zip(inside, weights, strict=True)]
            total = _sum(b, weights)
            weights = [b.div(w, total) for w in weights]
        shape = [at.type.shape[0] if a == axis else 1 for a in range(x.type.rank)]
        parts = []
        for place, weight in zip(places, weights, strict=True):
            column = b.reshape(b.cast(weight, to=x.type.dtype), shape=shape)
            parts.append(b.mul(b.gather(x, _index(b, place, last), axis=axis, bounds="unchecked"), column))
        return narrowed(b, _sum(b, parts), like)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        at = np.array([-1.5, -0.5, 0.0, 0.25, 0.5, 1.0, 1.5, 2.5, 2.75, 3.0, 3.5, 4.25], s.float_dtype.numpy)
        for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
            yield s.case(s.floats(2, 4, 3), at, axis=1, nearest=nearest, dynamic=((0, 0), (0, 1), (1, 0)))
        yield s.case(s.ints(4, 2), at, axis=0)
        for axis, mode in itertools.product((0, -1), ("linear", "cubic")):
            yield s.case(s.floats(4, 3, 4), at, axis=axis, mode=mode, dynamic=((0, 0), (0, 2), (1, 0)))
        for outside in (False, True):
            yield s.case(s.floats(2, 4), at, axis=1, mode="cubic", cubic_a=-0.5, exclude_outside=outside)
        yield s.case(s.floats(1, 2), at, axis=0, mode="linear", name="one element")
        yield s.case(s.floats(4, 2), at[:0], axis=0, mode="linear", name="nowhere")
        yield s.case(s.floats(4, 2), at[:, None], axis=0, error=ValueError, name="no vector")
        yield s.case(s.ints(4, 2), at, axis=0, mode="linear", error=TypeError, name="linear integers")
        yield s.case(
            s.floats(4, 2), at, axis=0, mode="linear", exclude_outside=True, error=ValueError, name="linear, excluding"
        )
        yield s.case(s.floats(0, 2), at, axis=0, error=ValueError, name="empty axis")


def _rounded(b: Any, at: Any, nearest: str) -> Any:
    if nearest.startswith("round"):
        return b.ceil(b.sub(at, 0.5)) if nearest == "round_prefer_floor" else b.floor(b.add(at, 0.5))
    return b.floor(at) if nearest == "floor" else b.ceil(at)


def _index(b: Any, place: Any, last: Any) -> Any:
    """Positions within the axis, int64."""
    return b.minimum(b.maximum(b.cast(place, to=dtypes.int64), 0), last)


def _linear(b: Any, fraction: Any) -> tuple[tuple[int, ...], list[Any]]:
    return (0, 1), [b.sub(1.0, fraction), fraction]


def _cubic(b: Any, fraction: Any, a: float) -> tuple[tuple[int, ...], list[Any]]:
    """Keys' kernel at the distances 1 + f, f, 1 - f and 2 - f."""
    rest = b.sub(1.0, fraction)

    def near(d: Any) -> Any:
        return b.add(b.mul(b.mul(b.sub(b.mul(d, a + 2), a + 3), d), d), 1.0)

    def far(d: Any) -> Any:
        return b.sub(b.mul(b.add(b.mul(b.sub(b.mul(d, a), 5 * a), d), 8 * a), d), 4 * a)

    return (-1, 0, 1, 2), [far(b.add(fraction, 1.0)), near(fraction), near(rest), far(b.add(rest, 1.0))]


def _sum(b: Any, parts: list[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = b.add(total, part)
    return total
