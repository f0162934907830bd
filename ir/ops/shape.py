"""Ops that rearrange, join, cut and repeat elements without computing on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ir.ops.positions import check_same_shape
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.ops.slicing import slice_attrs
from ir.types import Dim, Shape, TensorType, dim_max, mod, normalize_axes, normalize_axis, numel, require_same
from ir.types.errors import AttributeValueError, AxisError, DTypeError, ShapeError
from ir.types.shape import check_grows

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value

Array = np.ndarray


def check_sizes(sizes: Sequence[Dim], what: str) -> None:
    """Raise ShapeError where a size is certainly negative."""
    if any(isinstance(d, int) and d < 0 for d in sizes):
        raise ShapeError(f"{what}: sizes {tuple(sizes)} must not be negative")


@op
class Identity:
    """x itself."""

    inputs = ("x: any",)

    @staticmethod
    def infer(x: TensorType) -> TensorType:
        return x

    @staticmethod
    def evaluate(x: Array) -> Array:
        return x

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(s.floats(2, 3, edge=True))
        yield s.case(s.bools())
        yield s.case(s.complexes(0, 2))


@op
class Reshape:
    """The same elements in row-major order in another shape. No -1 and no 0 codes: importers resolve them to sizes."""

    inputs = ("x: any",)
    shape: tuple[Dim, ...]

    @staticmethod
    def infer(x: TensorType, shape: Shape) -> TensorType:
        check_sizes(shape, "reshape")
        require_same(numel(x.shape), numel(shape), f"reshape {x} to {tuple(shape)} keeps the number of elements")
        return x.with_shape(shape)

    @staticmethod
    def evaluate(x: Array, shape: tuple[int, ...]) -> Array:
        return x.reshape(shape)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for old, new in (
            ((2, 3, 4), (6, 4)),
            ((6,), (2, 3)),
            ((1,), ()),
            ((), (1, 1)),
            ((0, 3), (3, 0, 2)),
            ((2, 3), (2, 3)),
        ):
            yield s.case(s.floats(*old), shape=new)
        yield s.case(s.bools(4), shape=(2, 2))
        yield s.case(s.floats(2, 3), shape=(4,), name="other count", error=ShapeError)
        yield s.case(s.floats(2, 3), shape=(-1, 3), name="code", error=ShapeError)


@op
class Flatten:
    """Axes `start` to `end` (inclusive) merged into one (torch.flatten). A 0-d operand becomes 1-D."""

    inputs = ("x: any",)
    start: int = 1
    end: int = -1

    @staticmethod
    def infer(x: TensorType, start: int, end: int) -> TensorType:
        if x.rank == 0:
            normalize_axes((start,), 1), normalize_axes((end,), 1)
            return x.with_shape((1,))
        first, last = normalize_axis(start, x.rank), normalize_axis(end, x.rank)
        if first > last:
            raise AxisError(f"flatten: start {start} lies behind end {end} for rank {x.rank}")
        return x.with_shape((*x.shape[:first], numel(x.shape[first : last + 1]), *x.shape[last + 1 :]))

    @staticmethod
    def evaluate(x: Array, start: int, end: int) -> Array:
        if x.ndim == 0:
            return x.reshape(1)
        first, last = normalize_axis(start, x.ndim), normalize_axis(end, x.ndim)
        return x.reshape(*x.shape[:first], int(np.prod(x.shape[first : last + 1])), *x.shape[last + 1 :])

    @staticmethod
    def decompose(b: Builder, x: Value, start: int, end: int) -> Value:
        return b.reshape(x, shape=Flatten.infer(x.type, start, end).shape)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for start, end in ((1, -1), (0, 1), (0, -1), (2, 2), (-2, 3)):
            yield s.case(s.floats(2, 3, 4, 5), start=start, end=end, dynamic=((0, 0),))
        yield s.case(s.ints(), start=0, name="0-d")
        yield s.case(s.floats(0, 2, 3), name="empty")
        yield s.case(s.floats(3), name="axis", error=AxisError)
        yield s.case(s.floats(3, 2), start=1, end=0, name="order", error=AxisError)


@op
class Squeeze:
    """x without the given axes, which have size 1."""

    inputs = ("x: any",)
    axes: tuple[int, ...]

    @staticmethod
    def infer(x: TensorType, axes: tuple[int, ...]) -> TensorType:
        gone = normalize_axes(axes, x.rank)
        for a in gone:
            require_same(x.shape[a], 1, f"squeeze: axis {a} of {x} has size 1")
        return x.with_shape(d for a, d in enumerate(x.shape) if a not in gone)

    @staticmethod
    def evaluate(x: Array, axes: tuple[int, ...]) -> Array:
        return np.squeeze(x, axes)

    @staticmethod
    def decompose(b: Builder, x: Value, axes: tuple[int, ...]) -> Value:
        return b.reshape(x, shape=Squeeze.infer(x.type, axes).shape)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for axes in ((1,), (-1, 1), (), (3,)):
            yield s.case(s.floats(2, 1, 3, 1), axes=axes)
        yield s.case(s.ints(1), axes=(0,))
        yield s.case(s.floats(2, 3), axes=(0,), name="size 2", error=ShapeError)
        yield s.case(s.floats(2, 1), axes=(1, -1), name="twice", error=AxisError)


@op
class Unsqueeze:
    """x with new axes of size 1, at these places of the result."""

    inputs = ("x: any",)
    axes: tuple[int, ...]

    @staticmethod
    def infer(x: TensorType, axes: tuple[int, ...]) -> TensorType:
        new = normalize_axes(axes, x.rank + len(axes))
        rest = iter(x.shape)
        return x.with_shape([1 if a in new else next(rest) for a in range(x.rank + len(axes))])

    @staticmethod
    def evaluate(x: Array, axes: tuple[int, ...]) -> Array:
        return np.expand_dims(x, axes)

    @staticmethod
    def decompose(b: Builder, x: Value, axes: tuple[int, ...]) -> Value:
        return b.reshape(x, shape=Unsqueeze.infer(x.type, axes).shape)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for axes in ((0,), (1,), (-1,), (-1, 0), (3, 1), ()):
            yield s.case(s.floats(2, 3), axes=axes)
        yield s.case(s.bools(), axes=(0, 1))
        yield s.case(s.floats(2), axes=(2,), name="axis", error=AxisError)


@op
class Transpose:
    """Axis k of the result is axis perm[k] of x."""

    inputs = ("x: any",)
    perm: tuple[int, ...]

    @staticmethod
    def infer(x: TensorType, perm: tuple[int, ...]) -> TensorType:
        if len(perm) != x.rank:
            raise AxisError(f"transpose: perm {perm} must name each of {x.rank} axes once")
        return x.with_shape(x.shape[a] for a in normalize_axes(perm, x.rank))

    @staticmethod
    def evaluate(x: Array, perm: tuple[int, ...]) -> Array:
        return np.transpose(x, perm)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for perm in ((0, 2, 1), (2, 0, 1), (1, 2, 0), (0, 1, 2), (-1, 0, -2)):
            yield s.case(s.floats(2, 3, 4), perm=perm)
        yield s.case(s.floats(), perm=())
        yield s.case(s.ints(0, 3), perm=(1, 0))
        for wrong in ((0, 0), (0,), (0, 2)):
            yield s.case(s.floats(2, 3), perm=wrong, name="no permutation", error=AxisError)


@op
class Expand:
    """x broadcast to `shape`, aligned at the right: each axis keeps its size or grows from 1 (NumPy broadcast_to)."""

    inputs = ("x: any",)
    shape: tuple[Dim, ...]

    @staticmethod
    def infer(x: TensorType, shape: Shape) -> TensorType:
        check_sizes(shape, "expand")
        if len(shape) < x.rank:
            raise ShapeError(f"expand: {x} has more axes than {tuple(shape)}")
        for old, new in zip(x.shape, shape[len(shape) - x.rank :], strict=True):
            check_grows(old, new, f"expand {x} to {tuple(shape)}")
        return x.with_shape(shape)

    @staticmethod
    def evaluate(x: Array, shape: tuple[int, ...]) -> Array:
        return np.broadcast_to(x, shape)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for old, new in (
            ((3,), (2, 3)),
            ((2, 1), (2, 4)),
            ((), (2, 2)),
            ((1, 3), (0, 3)),
            ((2, 3), (2, 3)),
            ((1,), (4, 1)),
        ):
            yield s.case(s.floats(*old), shape=new)
        yield s.case(s.floats(3), shape=(2, 4), name="sizes", error=ShapeError)
        yield s.case(s.floats(1, 3), shape=(3,), name="ranks", error=ShapeError)


@op
class Concat:
    """The operands one after another along `axis`; all other sizes agree."""

    inputs = ("xs*: xs",)
    axis: int

    @staticmethod
    def infer(xs: tuple[TensorType, ...], axis: int) -> TensorType:
        if not xs:
            raise ShapeError("concat: no operands")
        axis = normalize_axis(axis, xs[0].rank)
        for x in xs[1:]:
            same = [*x.shape[:axis], *x.shape[axis + 1 :]]
            check_same_shape([*xs[0].shape[:axis], *xs[0].shape[axis + 1 :]], same, f"concat along axis {axis}")
        total: Dim = 0
        for x in xs:
            total = x.shape[axis] + total
        return xs[0].with_shape((*xs[0].shape[:axis], total, *xs[0].shape[axis + 1 :]))

    @staticmethod
    def evaluate(xs: tuple[Array, ...], axis: int) -> Array:
        return np.concatenate(xs, axis)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case((s.floats(2, 3), s.floats(2, 1), s.floats(2, 0)), axis=1)
        yield s.case((s.floats(2, 3), s.floats(4, 3)), axis=0)
        yield s.case((s.floats(2, 2, 3), s.floats(2, 2, 1)), axis=-1)
        yield s.case((s.ints(3),), axis=0, name="one")
        yield s.case((), axis=0, name="none", error=ShapeError)
        yield s.case((s.floats(2, 3), s.floats(3, 3)), axis=1, name="sizes", error=ShapeError)
        yield s.case((s.floats(2), s.ints(2)), axis=0, name="dtypes", error=DTypeError)


@op
class Stack:
    """Operands of one shape along a new axis."""

    inputs = ("xs*: xs",)
    axis: int

    @staticmethod
    def infer(xs: tuple[TensorType, ...], axis: int) -> TensorType:
        if not xs:
            raise ShapeError("stack: no operands")
        axis = normalize_axis(axis, xs[0].rank + 1)
        for x in xs[1:]:
            check_same_shape(xs[0].shape, x.shape, "stack")
        return xs[0].with_shape((*xs[0].shape[:axis], len(xs), *xs[0].shape[axis:]))

    @staticmethod
    def evaluate(xs: tuple[Array, ...], axis: int) -> Array:
        return np.stack(xs, axis)

    @staticmethod
    def decompose(b: Builder, xs: tuple[Value, ...], axis: int) -> Value:
        axis = normalize_axis(axis, xs[0].type.rank + 1)
        return b.concat([b.unsqueeze(x, axes=(axis,)) for x in xs], axis=axis)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for axis in (0, 1, -1, 2):
            yield s.case((s.floats(2, 3), s.floats(2, 3), s.floats(2, 3)), axis=axis)
        yield s.case((s.ints(), s.ints()), axis=0)
        yield s.case((s.floats(0, 2),), axis=0, name="one")
        yield s.case((s.floats(2), s.floats(3)), axis=0, name="sizes", error=ShapeError)
        yield s.case((), axis=0, name="none", error=ShapeError)


@op
class Split:
    """x cut along `axis` into pieces of the given sizes, which add up to the axis: one output for each."""

    inputs = ("x: any",)
    outputs = ("pieces*",)
    sizes: tuple[Dim, ...]
    axis: int = 0

    @staticmethod
    def infer(x: TensorType, sizes: tuple[Dim, ...], axis: int) -> tuple[TensorType, ...]:
        axis = normalize_axis(axis, x.rank)
        check_sizes(sizes, "split")
        total: Dim = 0
        for n in sizes:
            total = n + total
        require_same(total, x.shape[axis], f"split: sizes {tuple(sizes)} add up to axis {axis} of {x}")
        return tuple(x.with_shape((*x.shape[:axis], n, *x.shape[axis + 1 :])) for n in sizes)

    @staticmethod
    def evaluate(x: Array, sizes: tuple[int, ...], axis: int) -> tuple[Array, ...]:
        return tuple(np.split(x, np.cumsum(sizes[:-1]), axis)) if sizes else ()

    @staticmethod
    def decompose(b: Builder, x: Value, sizes: tuple[Dim, ...], axis: int) -> tuple[Value, ...]:
        pieces, at = [], 0
        for n in sizes:
            pieces.append(b.slice(x, **slice_attrs(axis, at, at + n, 1)))
            at = at + n  # type: ignore[assignment]
        return tuple(pieces)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        x = s.floats(6, 4)
        for sizes, axis in (((2, 4), 0), ((1, 1, 2), 1), ((4,), -1), ((0, 6, 0), 0)):
            yield s.case(x, sizes=sizes, axis=axis)
        yield s.case(s.ints(0, 2), sizes=(0, 0), axis=0, name="empty")
        yield s.case(x, sizes=(1,) * 6, axis=0)
        yield s.case(x, sizes=(2, 3), axis=0, name="sum", error=ShapeError)


@op
class Tile:
    """x repeated repeats[k] times along axis k; one number for each axis."""

    inputs = ("x: any",)
    repeats: tuple[Dim, ...]

    @staticmethod
    def infer(x: TensorType, repeats: tuple[Dim, ...]) -> TensorType:
        check_sizes(repeats, "tile")
        if len(repeats) != x.rank:
            raise ShapeError(f"tile: {len(repeats)} repeats for rank {x.rank}")
        return x.with_shape(d * r for d, r in zip(x.shape, repeats, strict=True))

    @staticmethod
    def evaluate(x: Array, repeats: tuple[int, ...]) -> Array:
        return np.tile(x, repeats)

    @staticmethod
    def decompose(b: Builder, x: Value, repeats: tuple[Dim, ...]) -> Value:
        pairs = list(zip(repeats, x.type.shape, strict=True))
        spread = b.reshape(x, shape=tuple(n for _, d in pairs for n in (1, d)))
        spread = b.expand(spread, shape=tuple(n for pair in pairs for n in pair))
        return b.reshape(spread, shape=tuple(d * r for r, d in pairs))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for repeats in ((2, 1), (1, 3), (2, 2), (0, 1)):
            yield s.case(s.floats(2, 3), repeats=repeats)
        yield s.case(s.ints(), repeats=())
        yield s.case(s.floats(2, 0), repeats=(1, 2))
        yield s.case(s.floats(2, 3), repeats=(2,), name="count", error=ShapeError)


@op
class Flip:
    """x with the given axes reversed."""

    inputs = ("x: any",)
    axes: tuple[int, ...]

    @staticmethod
    def infer(x: TensorType, axes: tuple[int, ...]) -> TensorType:
        normalize_axes(axes, x.rank)
        return x

    @staticmethod
    def evaluate(x: Array, axes: tuple[int, ...]) -> Array:
        return np.flip(x, axes)

    @staticmethod
    def decompose(b: Builder, x: Value, axes: tuple[int, ...]) -> Value:
        none = (None,) * len(axes)
        return b.slice(x, axes=axes, starts=none, stops=none, steps=(-1,) * len(axes))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for axes in ((0,), (1,), (-1, 0), ()):
            yield s.case(s.floats(2, 3), axes=axes)
        yield s.case(s.ints(0, 2), axes=(0,))
        yield s.case(s.floats(2), axes=(0, -1), name="twice", error=AxisError)


@op
class Roll:
    """x shifted cyclically by shifts[k] along axes[k] (NumPy roll); negative shifts go towards the front."""

    inputs = ("x: any",)
    shifts: tuple[Dim, ...]
    axes: tuple[int, ...]

    @staticmethod
    def infer(x: TensorType, shifts: tuple[Dim, ...], axes: tuple[int, ...]) -> TensorType:
        if len(shifts) != len(axes):
            raise AttributeValueError(f"roll: {len(shifts)} shifts for {len(axes)} axes")
        for axis in axes:
            normalize_axis(axis, x.rank)
        return x

    @staticmethod
    def evaluate(x: Array, shifts: tuple[int, ...], axes: tuple[int, ...]) -> Array:
        return np.roll(x, shifts, axes) if axes else x

    @staticmethod
    def decompose(b: Builder, x: Value, shifts: tuple[Dim, ...], axes: tuple[int, ...]) -> Value:
        steps = [
            (normalize_axis(a, x.type.rank), s, x.type.shape[normalize_axis(a, x.type.rank)])
            for s, a in zip(shifts, axes)
        ]
        for axis, shift, n in steps:
            at = mod(n - shift, dim_max(n, 1))
            back, front = b.slice(x, **slice_attrs(axis, at, None, 1)), b.slice(x, **slice_attrs(axis, 0, at, 1))
            x = b.concat(back, front, axis=axis)
        return x if steps else b.identity(x)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for turns in ((2, -7), (0, 25)):
            yield s.case(s.floats(3, 4), shifts=turns, axes=(0, 1), dynamic=((0, 0), (0, 1)), name="symbolic")
        yield s.case(s.ints(0, 2), shifts=(1,), axes=(0,), dynamic=((0, 0),), name="symbolic empty")
        for shifts, axes in (((1,), (0,)), ((-1,), (1,)), ((7, -5), (0, -1)), ((1, 1), (1, 1)), ((0,), (0,)), ((), ())):
            yield s.case(s.floats(3, 4), shifts=shifts, axes=axes)
        yield s.case(s.ints(0, 2), shifts=(1,), axes=(0,), name="empty")
        yield s.case(s.floats(3), shifts=(1, 2), axes=(0,), name="counts", error=AttributeValueError)


def moved_last(rank: int, *axes: int) -> tuple[int, ...]:
    """The permutation that puts `axes` behind all others, which keep their order."""
    return (*(k for k in range(rank) if k not in axes), *axes)
