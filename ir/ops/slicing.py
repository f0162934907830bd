"""Slices with Python's rules (bounds always clamp), scalar reads, and blocks at run-time positions.

Sizes and bounds may be symbolic. A symbolic bound counts from the front: where its sign depends on run-time sizes, the
assumption that it is not negative is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ir.ops.positions import Neg, check_same_shape
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import (
    Dim,
    Shape,
    TensorType,
    ceildiv,
    dim_max,
    dim_min,
    dtypes,
    normalize_axes,
    normalize_axis,
    require_same,
)
from ir.types.errors import AttributeValueError, PositionError, ShapeError

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value

Array = np.ndarray
Bound = Dim | None


def clamp_bound(bound: Dim, size: Dim, low: Dim, high: Dim) -> Dim:
    """A start or stop as a position: negative ones count from the end, then the result is clamped to [low, high]."""
    if isinstance(bound, int) and bound < 0:
        return dim_max(dim_min(size + bound, high), low)
    if not isinstance(bound, int):
        bound = require_same(dim_max(bound, 0), bound, "a symbolic slice bound is not negative")
    return dim_min(bound, high)


def slice_range(start: Bound, stop: Bound, step: int, size: Dim) -> tuple[Dim, Dim]:
    """First position and length of a slice, as `range(*slice(start, stop, step).indices(size))` gives them.

    With an empty result the first position may be any. Raises AttributeValueError for step 0.
    """
    if step == 0:
        raise AttributeValueError("slice: step must not be 0")
    if step > 0:
        first = 0 if start is None else clamp_bound(start, size, 0, size)
        reach = _forward_reach(start, first, stop, size)
        return first, ceildiv(reach, step)
    first = size - 1 if start is None else clamp_bound(start, size, -1, size - 1)
    last = -1 if stop is None else clamp_bound(stop, size, -1, size - 1)
    return first, ceildiv(dim_max(first - last, 0), -step)


def _forward_reach(start: Bound, first: Dim, stop: Bound, size: Dim) -> Dim:
    """max(last - first, 0) with the clamps resolved in the common cases, so that sizes stay readable."""
    if stop is None:
        if isinstance(start, int) and start < 0:
            return dim_min(size, -start)
        return dim_max(size - (start or 0) if isinstance(start, int) or start is None else size - start, 0)
    return dim_max(clamp_bound(stop, size, 0, size) - first, 0)


def check_slices(rank: int, axes: Sequence[int], *fields: Sequence[Any]) -> tuple[int, ...]:
    """Normalised axes; raises AttributeValueError unless every field has one entry for each."""
    if any(len(f) != len(axes) for f in fields):
        raise AttributeValueError(f"slice: axes, starts, stops and steps differ in length ({len(axes)} axes)")
    return normalize_axes(axes, rank)


def sliced_shape(
    shape: Shape, axes: Sequence[int], starts: Sequence[Bound], stops: Sequence[Bound], steps: Sequence[int]
) -> Shape:
    """The shape of a slice."""
    out = list(shape)
    for axis, start, stop, step in zip(
        check_slices(len(shape), axes, starts, stops, steps), starts, stops, steps, strict=True
    ):
        out[axis] = slice_range(start, stop, step, shape[axis])[1]
    return tuple(out)


def _key(
    rank: int, axes: Sequence[int], starts: Sequence[Any], stops: Sequence[Any], steps: Sequence[int]
) -> tuple[slice, ...]:
    key = [slice(None)] * rank
    for axis, start, stop, step in zip(normalize_axes(axes, rank), starts, stops, steps, strict=True):
        key[axis] = slice(start, stop, step)
    return tuple(key)


@op
class Slice:
    """x[starts[k]:stops[k]:steps[k]] along axes[k], by Python's rules: None is open, negatives count from the end,
    bounds clamp, steps may be negative and must not be 0."""

    inputs = ("x: any",)
    axes: tuple[int, ...]
    starts: tuple[Dim | None, ...]
    stops: tuple[Dim | None, ...]
    steps: tuple[int, ...]

    @staticmethod
    def infer(x: TensorType, axes: tuple[int, ...], starts: Any, stops: Any, steps: tuple[int, ...]) -> TensorType:
        return x.with_shape(sliced_shape(x.shape, axes, starts, stops, steps))

    @staticmethod
    def evaluate(x: Array, axes: tuple[int, ...], starts: Any, stops: Any, steps: tuple[int, ...]) -> Array:
        return x[_key(x.ndim, axes, starts, stops, steps)]

    @staticmethod
    def vjp(cotangent: Array, x: Array, **attrs: Any) -> dict[str, Array]:
        out = np.zeros(x.shape, cotangent.dtype)
        out[_key(x.ndim, **attrs)] = cotangent
        return {"x": out}

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for bounds in BOUNDS:
            yield s.case(s.floats(5, 7), dynamic=((0, 1),), **slice_attrs(1, *bounds))
        yield s.case(s.floats(4, 5, 6), axes=(2, -3), starts=(-2, None), stops=(None, 2), steps=(-2, 1))
        yield s.case(s.floats(3, 4, 5), axes=(1, 2), starts=(1, 0), stops=(3, 4), steps=(1, 2))
        yield s.case(s.floats(3, 4, 5), axes=(2,), starts=(0,), stops=(4,), steps=(2,))
        yield s.case(s.ints(3), axes=(), starts=(), stops=(), steps=(), name="no axis")
        yield s.case(s.bools(0, 3), axes=(0,), starts=(-1,), stops=(5,), steps=(1,), name="empty axis")
        yield s.case(s.floats(5), name="step 0", error=AttributeValueError, **slice_attrs(0, 0, 3, 0))
        yield s.case(s.floats(5), name="axis", error=ValueError, **slice_attrs(1, 0, 3, 1))


BOUNDS: tuple[tuple[int | None, int | None, int], ...] = (
    (0, 3, 1), (1, None, 1), (None, -1, 1), (-3, None, 1), (2, 2, 1), (5, 2, 1), (-20, 20, 1), (9, 12, 1), (1, -1, 3),
    (None, None, -1), (None, None, -2), (-1, None, -3), (5, 1, -2), (-2, -6, -1), (20, -20, -1), (1, 4, -1),
    (0, None, -1),
)  # fmt: skip


def slice_attrs(axis: int, start: Bound, stop: Bound, step: int) -> dict[str, Any]:
    """Attributes of a slice along one axis."""
    return {"axes": (axis,), "starts": (start,), "stops": (stop,), "steps": (step,)}


@op
class SliceUpdate:
    """A copy of x with x[starts:stops:steps] replaced by `update`, which has exactly the shape of that slice."""

    inputs = ("x: any", "update: x")
    axes: tuple[int, ...]
    starts: tuple[Dim | None, ...]
    stops: tuple[Dim | None, ...]
    steps: tuple[int, ...]

    @staticmethod
    def infer(x: TensorType, update: TensorType, axes: Any, starts: Any, stops: Any, steps: Any) -> TensorType:
        shape = sliced_shape(x.shape, axes, starts, stops, steps)
        check_same_shape(shape, update.shape, "slice_update: update has the shape of the slice")
        return x

    @staticmethod
    def evaluate(x: Array, update: Array, **attrs: Any) -> Array:
        out = x.copy()
        out[_key(x.ndim, **attrs)] = update
        return out

    @staticmethod
    def decompose(b: Builder, x: Value, update: Value, axes: Any, starts: Any, stops: Any, steps: Any) -> Value:
        if not axes:
            return b.identity(update)
        rest = {"axes": axes[1:], "starts": starts[1:], "stops": stops[1:], "steps": steps[1:]}
        if axes[1:]:
            inner = b.slice(x, **slice_attrs(axes[0], starts[0], stops[0], steps[0]))
            update = b.slice_update(inner, update, **rest)
        axis = normalize_axis(axes[0], x.type.rank)
        return _update_axis(
            b, x, update, axis, *slice_range(starts[0], stops[0], steps[0], x.type.shape[axis]), steps[0]
        )

    @staticmethod
    def vjp(cotangent: Array, x: Array, update: Array, **attrs: Any) -> dict[str, Array]:
        key = _key(x.ndim, **attrs)
        rest = cotangent.copy()
        rest[key] = 0
        return {"x": rest, "update": cotangent[key]}

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for start, stop, step in BOUNDS:
            length = len(range(*slice(start, stop, step).indices(7)))
            yield s.case(s.floats(3, 7), s.floats(3, length), **slice_attrs(1, start, stop, step))
        both: dict[str, Any] = {"axes": (2, 0), "starts": (1, -1), "stops": (None, None), "steps": (2, -2)}
        yield s.case(s.ints(4, 2, 6), s.ints(2, 2, 3), **both)
        forward: dict[str, Any] = {"axes": (2, 0), "starts": (1, -3), "stops": (None, 3), "steps": (2, 1)}
        yield s.case(s.floats(4, 2, 6), s.floats(2, 2, 3), name="two axes forward", **forward)
        yield s.case(s.complexes(3, 7), s.complexes(3, 2), name="complex", **slice_attrs(-1, 2, 6, 3))
        yield s.case(s.floats(2), s.floats(2), axes=(), starts=(), stops=(), steps=(), name="no axis")
        yield s.case(s.floats(4), s.floats(3), name="shape", error=ShapeError, **slice_attrs(0, 0, 2, 1))


def _update_axis(b: Builder, x: Value, update: Value, axis: int, first: Dim, length: Dim, step: int) -> Value:
    """`x` with the positions first, first + step, ... along `axis` replaced."""
    if length == 0:
        return b.identity(x)
    if step < 0:  # the same positions in rising order, when there are any
        update = b.flip(update, axes=(axis,))
        first, step = first + (length - 1) * step, -step
    if step == 1:
        before = b.slice(x, **slice_attrs(axis, 0, first, 1))
        after = b.slice(x, **slice_attrs(axis, first + length, None, 1))
        return b.concat(before, update, after, axis=axis)
    order = [axis, *(k for k in range(x.type.rank) if k != axis)]
    ramp = b.arange(start=0, stop=length, step=1, dtype=dtypes.int64)
    places = b.add(b.mul(ramp, step), b.dim(size=first))
    rows = b.scatter_nd(
        b.transpose(x, perm=tuple(order)),
        b.unsqueeze(places, axes=(1,)),
        b.transpose(update, perm=tuple(order)),
        neg="invalid",
        unique=True,
    )
    return b.transpose(rows, perm=tuple(int(k) for k in np.argsort(order)))


@op
class Select:
    """The slice at one position of an axis, which it drops; a negative index counts from the end."""

    inputs = ("x: any",)
    axis: int
    index: Dim

    @staticmethod
    def infer(x: TensorType, axis: int, index: Dim) -> TensorType:
        axis = normalize_axis(axis, x.rank)
        check_position(index, x.shape[axis])
        return x.with_shape(x.shape[:axis] + x.shape[axis + 1 :])

    @staticmethod
    def evaluate(x: Array, axis: int, index: int) -> Array:
        axis = normalize_axis(axis, x.ndim)
        check_position(index, x.shape[axis])
        return x[(slice(None),) * axis + (index,)]

    @staticmethod
    def decompose(b: Builder, x: Value, axis: int, index: Dim) -> Value:
        stop = None if index == -1 else index + 1
        return b.squeeze(b.slice(x, **slice_attrs(axis, index, stop, 1)), axes=(axis,))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for axis, index in ((0, 0), (1, -1), (-1, 4), (2, -5)):
            yield s.case(s.floats(2, 3, 5), axis=axis, index=index)
        yield s.case(s.ints(3), axis=0, index=2)
        for index in (3, -4):
            yield s.case(s.floats(3, 2), axis=0, index=index, name="out of range", error=PositionError)
        yield s.case(s.floats(0, 2), axis=0, index=0, name="empty axis", error=PositionError)


def check_position(index: Dim, size: Dim) -> None:
    """Raise PositionError where `index` is certainly outside [-size, size)."""
    if isinstance(index, int) and isinstance(size, int) and not -size <= index < size:
        raise PositionError(f"index {index} is out of range for an axis of size {size}")


@op
class SelectUpdate:
    """A copy of x with the slice at one position of an axis replaced (torch select_scatter)."""

    inputs = ("x: any", "update: x")
    axis: int
    index: Dim

    @staticmethod
    def infer(x: TensorType, update: TensorType, axis: int, index: Dim) -> TensorType:
        axis = normalize_axis(axis, x.rank)
        check_position(index, x.shape[axis])
        check_same_shape(x.shape[:axis] + x.shape[axis + 1 :], update.shape, "select_update: update is one slice")
        return x

    @staticmethod
    def evaluate(x: Array, update: Array, axis: int, index: int) -> Array:
        axis = normalize_axis(axis, x.ndim)
        check_position(index, x.shape[axis])
        out = x.copy()
        out[(slice(None),) * axis + (index,)] = update
        return out

    @staticmethod
    def decompose(b: Builder, x: Value, update: Value, axis: int, index: Dim) -> Value:
        axis = normalize_axis(axis, x.type.rank)
        stop = None if index == -1 else index + 1
        return b.slice_update(x, b.unsqueeze(update, axes=(axis,)), **slice_attrs(axis, index, stop, 1))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for axis, index, shape in ((0, 0, (3, 5)), (1, -1, (2, 5)), (-1, 2, (2, 3))):
            yield s.case(s.floats(2, 3, 5), s.floats(*shape), axis=axis, index=index)
        yield s.case(s.ints(3), s.ints(), axis=0, index=-3)
        yield s.case(s.complexes(2, 2, 3), s.complexes(2, 2), axis=-1, index=1, name="complex")
        yield s.case(s.floats(3, 2), s.floats(2), axis=0, index=3, name="out of range", error=PositionError)
        yield s.case(s.floats(3, 2), s.floats(1), axis=0, index=0, name="shape", error=ShapeError)


def _block_starts(
    shape: tuple[int, ...], starts: Sequence[Array], sizes: Sequence[int], bounds: str, neg: Neg
) -> tuple[slice, ...]:
    """The block as slices: each start is moved so that the block fits (clip) or must fit already (error)."""
    key = []
    for n, start, size in zip(shape, starts, sizes, strict=True):
        if size > n:
            raise ShapeError(f"a block of size {size} does not fit an axis of size {n}")
        at = int(start)
        at += n if neg == "from_end" and at < 0 else 0
        if bounds == "error" and not 0 <= at <= n - size:
            raise PositionError(f"a block of size {size} at {int(start)} leaves an axis of size {n} (neg={neg})")
        at = min(max(at, 0), n - size)
        key.append(slice(at, at + size))
    return tuple(key)


def _check_block(x: TensorType, starts: Sequence[TensorType], sizes: Sequence[Dim], what: str) -> None:
    if len(starts) != x.rank or len(sizes) != x.rank:
        raise ShapeError(f"{what}: {len(starts)} starts and {len(sizes)} sizes for rank {x.rank}")
    if any(t.rank for t in starts):
        raise ShapeError(f"{what}: starts must be 0-d")
    for size, n in zip(sizes, x.shape, strict=True):
        if isinstance(size, int) and size < 0:
            raise ShapeError(f"{what}: size {size} must not be negative")
        require_same(dim_max(size, n), n, f"{what}: the block fits")


BlockBounds = Literal["error", "clip"]


@op
class DynamicSlice:
    """A block of the given sizes at run-time `starts`, one 0-d index for each axis (jax.lax.dynamic_slice).

    `neg` first; then `clip` moves the start so that the block fits, `error` refuses a block that does not.
    """

    inputs = ("x: any", "starts*: index")
    sizes: tuple[Dim, ...]
    bounds: BlockBounds = "error"
    neg: Neg = "invalid"

    @staticmethod
    def infer(
        x: TensorType, starts: tuple[TensorType, ...], sizes: tuple[Dim, ...], bounds: str, neg: str
    ) -> TensorType:
        _check_block(x, starts, sizes, "dynamic_slice")
        return x.with_shape(sizes)

    @staticmethod
    def evaluate(x: Array, starts: tuple[Array, ...], sizes: tuple[int, ...], bounds: str, neg: Any) -> Array:
        return x[_block_starts(x.shape, starts, sizes, bounds, neg)]

    @staticmethod
    def decompose(
        b: Builder, x: Value, starts: tuple[Value, ...], sizes: tuple[Dim, ...], bounds: str, neg: Any
    ) -> Value:
        _refuse_empty_block(sizes, bounds)
        out = x
        for axis, (start, size) in enumerate(zip(starts, sizes, strict=True)):
            if x.type.shape[axis] != size or bounds == "error":
                out = b.gather(
                    out, _block_positions(b, start, size, x.type.shape[axis], bounds, neg), axis=axis, neg="invalid"
                )
        return out

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        x = s.floats(4, 5)
        for bounds, neg in (("error", "invalid"), ("error", "from_end"), ("clip", "invalid"), ("clip", "from_end")):
            yield s.case(x, (np.array(1), np.array(2)), sizes=(2, 3), bounds=bounds, neg=neg)
        for neg in ("invalid", "from_end"):
            for at in ((-3, 9), (-20, -1), (np.iinfo(np.int64).min, np.iinfo(np.int64).max)):
                yield s.case(x, tuple(np.array(k) for k in at), sizes=(2, 3), bounds="clip", neg=neg)
        yield s.case(x, (np.array(-2), np.array(-5)), sizes=(2, 5), neg="from_end")
        yield s.case(x, (np.array(0, np.int32), np.array(5, np.uint8)), sizes=(4, 0), name="empty block")
        yield s.case(s.ints(), (), sizes=(), name="0-d")
        yield s.case(x, (np.array(3), np.array(0)), sizes=(2, 3), name="leaves", error=PositionError)
        yield s.case(x, (np.array(0), np.array(0)), sizes=(5, 3), bounds="clip", name="too large", error=ShapeError)


def _refuse_empty_block(sizes: Sequence[Dim], bounds: str) -> None:
    if bounds == "error" and any(size == 0 for size in sizes):
        raise NotImplementedError("an empty block has no positions left to check")


def _block_positions(b: Builder, start: Value, size: Dim, n: Dim, bounds: str, neg: Neg) -> Value:
    """int64 [size]: the positions of the block along one axis; those of a bad start stay out of range under error."""
    at = start if start.type.dtype == dtypes.int64 else b.cast(start, to=dtypes.int64)
    if neg == "from_end":
        at = b.where(b.less(at, 0), b.add(at, b.dim(size=n)), at)
    if bounds == "clip":
        at = b.minimum(b.maximum(at, 0), b.dim(size=n - size))
    return b.add(b.arange(start=0, stop=size, step=1, dtype=dtypes.int64), at)


@op
class DynamicUpdateSlice:
    """A copy of x with the block of update's shape at run-time `starts` replaced; bounds as in dynamic_slice."""

    inputs = ("x: any", "update: x", "starts*: index")
    bounds: BlockBounds = "error"
    neg: Neg = "invalid"

    @staticmethod
    def infer(x: TensorType, update: TensorType, starts: tuple[TensorType, ...], bounds: str, neg: str) -> TensorType:
        _check_block(x, starts, update.shape, "dynamic_update_slice")
        return x

    @staticmethod
    def evaluate(x: Array, update: Array, starts: tuple[Array, ...], bounds: str, neg: Any) -> Array:
        out = x.copy()
        out[_block_starts(x.shape, starts, update.shape, bounds, neg)] = update
        return out

    @staticmethod
    def decompose(b: Builder, x: Value, update: Value, starts: tuple[Value, ...], bounds: str, neg: Any) -> Value:
        sizes, rank = update.type.shape, x.type.rank
        _refuse_empty_block(sizes, bounds)
        grids = []
        for axis, (start, size) in enumerate(zip(starts, sizes, strict=True)):
            line = _block_positions(b, start, size, x.type.shape[axis], bounds, neg)
            line = b.reshape(line, shape=tuple(size if k == axis else 1 for k in range(rank)))
            grids.append(b.expand(line, shape=sizes))
        return (
            b.scatter_nd(x, b.stack(grids, axis=-1), update, neg="invalid", unique=True)
            if grids
            else b.identity(update)
        )

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        x, block = s.floats(4, 5), s.floats(2, 3)
        for bounds, neg in (("error", "invalid"), ("error", "from_end"), ("clip", "invalid"), ("clip", "from_end")):
            yield s.case(x, block, (np.array(2), np.array(1)), bounds=bounds, neg=neg)
        for neg in ("invalid", "from_end"):
            yield s.case(x, block, (np.array(-3), np.array(9)), bounds="clip", neg=neg)
        yield s.case(s.ints(), s.ints(), (), name="0-d")
        yield s.case(x, block, (np.array(-1), np.array(0)), name="leaves", error=PositionError)
        yield s.case(x, s.floats(2, 6), (np.array(0), np.array(0)), name="too large", error=ShapeError)
