"""Shapes and movement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import axes_of, axis_of, count, flat, on_tensorflow
from ir.core import Value
from ir.types import Dim, dtypes
from ir.types.dim import floordiv


@rule("ops.Reshape")
def reshape(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    return c.b.reshape(value, shape=whole(value.type.shape, c.dims(op.newshape)))


def whole(have: tuple[Dim, ...], wanted: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """A shape with -1 replaced by what is left."""
    if -1 not in wanted:
        return wanted
    rest = math.prod((d for d in wanted if d != -1), start=1)
    total = math.prod(have, start=1)
    return tuple(floordiv(total, rest) if d == -1 else d for d in wanted)


@rule("ops.Ravel")
def ravel(c: KerasContext, _: Any, x: Any) -> Value:
    return flat(c, c.value(x))


@rule("ops.Transpose")
def transpose(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    rank = value.type.rank
    perm = tuple(reversed(range(rank))) if not op.axes else tuple(axis_of(a, rank) for a in op.axes)
    return turned(c, value, perm)


def turned(c: KerasContext, value: Value, perm: Sequence[int]) -> Value:
    """A transpose, unless it moves nothing."""
    return value if tuple(perm) == tuple(range(len(perm))) else c.b.transpose(value, perm=tuple(perm))


@rule("ops.Swapaxes")
def swapaxes(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    perm = list(range(value.type.rank))
    a, b = axis_of(op.axis1, len(perm)), axis_of(op.axis2, len(perm))
    perm[a], perm[b] = perm[b], perm[a]
    return turned(c, value, perm)


@rule("ops.Moveaxis")
def moveaxis(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    return turned(c, value, moved(value.type.rank, op.source, op.destination))


def moved(rank: int, source: Any, destination: Any) -> list[int]:
    """The permutation that takes axes to other places, the rest in order."""
    from_, to = (
        [axis_of(a, rank) for a in (s if isinstance(s, (tuple, list)) else (s,))] for s in (source, destination)
    )
    perm = [i for i in range(rank) if i not in from_]
    for d, s in sorted(zip(to, from_, strict=True)):
        perm.insert(d, s)
    return perm


@rule("ops.ExpandDims")
def expand_dims(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    axes = op.axis if isinstance(op.axis, (tuple, list)) else (op.axis,)
    rank = value.type.rank + len(axes)
    return c.b.unsqueeze(value, axes=tuple(sorted(axis_of(a, rank) for a in axes)))


@rule("ops.Squeeze")
def squeeze(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    ones = tuple(i for i, d in enumerate(value.type.shape) if d == 1)
    if op.axis is None and any(not isinstance(d, int) for d in value.type.shape):
        c.refuse("the removal of all axes of size 1 where a size is open", "name the axes")
    axes = ones if op.axis is None else axes_of(op.axis, value.type.rank)
    return c.b.squeeze(value, axes=axes)


@rule("ops.Concatenate")
def concatenate(c: KerasContext, op: Any, xs: Any) -> Value:
    return joined(c, xs, op.axis)


def joined(c: KerasContext, xs: Any, axis: int) -> Value:
    """Tensors one after another, in their common dtype."""
    kind = c.result_type(*xs)
    values = [c.value(x, kind) for x in xs]
    return c.b.concat(values, axis=axis_of(axis, values[0].type.rank))


@rule("ops.Append")
def append(c: KerasContext, op: Any, x1: Any, x2: Any) -> Value:
    if op.axis is not None:
        return joined(c, (x1, x2), op.axis)
    return joined(c, [flat(c, c.value(x)) for x in (x1, x2)], 0)


@rule("ops.Stack")
def stack(c: KerasContext, op: Any, xs: Any) -> Value:
    kind = c.result_type(*xs)
    values = [c.value(x, kind) for x in xs]
    return c.b.stack(values, axis=axis_of(op.axis, values[0].type.rank + 1))


@rule("ops.Hstack", "ops.Vstack", "ops.Dstack")
def stacks(c: KerasContext, op: Any, xs: Any) -> Value:
    """Along the second axis (of vectors the first), the first, the third. Vectors get axes of 1 as NumPy has it."""
    form, kind = type(op).__name__, c.result_type(*xs)
    values = [c.value(x, kind) for x in xs]
    ranks = {v.type.rank for v in values}
    if form == "Dstack":
        values = [_deep(c, v) for v in values]
    elif min(ranks) < (2 if form == "Vstack" else 1):
        c.refuse(f"{form.lower()} of tensors of rank {min(ranks)}, which the backends take differently", "add the axes")
    axis = {"Vstack": 0, "Dstack": 2}.get(form, 0 if values[0].type.rank == 1 else 1)
    return c.b.concat(values, axis=axis)


def _deep(c: KerasContext, value: Value) -> Value:
    axes: dict[int, tuple[int, ...]] = {0: (0, 1, 2), 1: (0, 2), 2: (2,)}
    return c.b.unsqueeze(value, axes=axes[value.type.rank]) if value.type.rank in axes else value


# -- pieces -------------------------------------------------------------------------------------------------------------
@rule("ops.Split", "ops.Hsplit", "ops.Vsplit", "ops.Dsplit", "ops.ArraySplit")
def split(c: KerasContext, op: Any, x: Any) -> list[Value]:
    value, form = c.value(x), type(op).__name__
    axis = {"Vsplit": 0, "Dsplit": 2, "Hsplit": min(1, value.type.rank - 1)}.get(form, getattr(op, "axis", 0))
    axis = axis_of(axis, value.type.rank)
    size, parts = value.type.shape[axis], op.indices_or_sections
    sizes = _sections(c, size, parts, form == "ArraySplit") if isinstance(parts, int) else _cuts(c, size, parts)
    return list(c.b.split(value, sizes=tuple(sizes), axis=axis))


def _sections(c: KerasContext, size: Dim, parts: int, uneven: bool) -> list[Dim]:
    if not isinstance(size, int):
        c.refuse("an axis of open size in equal parts", "fix the size, or split with sizes")
    if size % parts and not uneven:
        c.refuse(f"an axis of {size} in {parts} equal parts")
    return [size // parts + (1 if i < size % parts else 0) for i in range(parts)]


def _cuts(c: KerasContext, size: Dim, places: Any) -> list[Dim]:
    bounds = [0, *c.dims(places), size]
    sizes = [b - a for a, b in zip(bounds, bounds[1:])]
    if any(isinstance(n, int) and n < 0 for n in sizes):
        c.refuse("pieces that overlap or end behind the axis", "give places in order, within the axis")
    return sizes


@rule("ops.Unstack")
def unstack(c: KerasContext, op: Any, x: Any) -> list[Value]:
    value = c.value(x)
    axis = axis_of(op.axis, value.type.rank)
    size = value.type.shape[axis] if op.num is None else op.num
    if not isinstance(size, int):
        c.refuse("an axis of open size taken apart", "fix its size, or use ops.scan")
    return [c.b.select(value, axis=axis, index=i) for i in range(size)]


# -- repetition ---------------------------------------------------------------------------------------------------------
@rule("ops.BroadcastTo")
def broadcast_to(c: KerasContext, op: Any, x: Any) -> Value:
    return c.b.expand(c.value(x), shape=c.dims(op.shape))


@rule("ops.Tile")
def tile(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    repeats: tuple[Dim, ...] = c.dims(op.repeats)
    rank = max(len(repeats), value.type.rank)
    if value.type.rank < rank:
        value = c.b.unsqueeze(value, axes=tuple(range(rank - value.type.rank)))
    return c.b.tile(value, repeats=(1,) * (rank - len(repeats)) + repeats)


@rule("ops.Repeat")
def repeat(c: KerasContext, op: Any, x: Any) -> Value:
    """Every element `repeats` times, side by side; or each its own number of times."""
    value = c.value(x)
    if op.axis is None:
        value = flat(c, value)
    axis = 0 if op.axis is None else axis_of(op.axis, value.type.rank)
    repeats = op.repeats
    if not isinstance(repeats, int) and not hasattr(repeats, "expr"):
        return _repeat_each(c, value, axis, repeats)
    shape = value.type.shape
    times = c.dim(repeats)
    wide = c.b.expand(c.b.unsqueeze(value, axes=(axis + 1,)), shape=(*shape[: axis + 1], times, *shape[axis + 1 :]))
    return c.b.reshape(wide, shape=(*shape[:axis], shape[axis] * times, *shape[axis + 1 :]))


def _repeat_each(c: KerasContext, value: Value, axis: int, repeats: Any) -> Value:
    import numpy as np

    from converter.importers.keras.context import to_numpy
    from converter.importers.keras.tensors import is_traced

    if is_traced(repeats):
        c.refuse("repetitions that a tensor decides", "give numbers")
    numbers = np.asarray(to_numpy(repeats)).reshape(-1)
    size = value.type.shape[axis]
    if not isinstance(size, int):
        if numbers.size != 1:
            c.refuse("an axis of open size repeated by a list of numbers", "fix the size")
        c.refuse("an axis of open size repeated by a list of one number", "give the number itself")
    places = np.repeat(np.arange(size), np.broadcast_to(numbers, (size,)))
    return c.b.gather(value, c.array(places.astype(np.int32)), axis=axis, neg="invalid")


@rule("ops.Flip", "ops.Fliplr", "ops.Flipud")
def flip(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    axis = {"Fliplr": 1, "Flipud": 0}.get(type(op).__name__, getattr(op, "axis", None))
    axes = axes_of(axis, value.type.rank)
    return c.b.flip(value, axes=axes) if axes else value


@rule("ops.Roll")
def roll(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    if op.axis is None:
        found = c.b.roll(flat(c, value), shifts=(int(op.shift),), axes=(0,))
        return c.b.reshape(found, shape=value.type.shape) if value.type.rank != 1 else found
    axes = op.axis if isinstance(op.axis, (tuple, list)) else (op.axis,)
    shifts = op.shift if isinstance(op.shift, (tuple, list)) else (op.shift,)
    if len(shifts) != len(axes):
        c.refuse("shifts and axes of different number", "give one shift for each axis")
    return c.b.roll(value, shifts=tuple(int(s) for s in shifts), axes=tuple(axis_of(a, value.type.rank) for a in axes))


@rule("ops.Rot90")
def rot90(c: KerasContext, op: Any, array: Any) -> Value:
    value = c.value(array)
    rank = value.type.rank
    a, b = (axis_of(i, rank) for i in op.axes)
    turns = op.k % 4
    if (
        turns == 2
        and on_tensorflow()
        and not (isinstance(value.type.shape[a], int) and value.type.shape[a] == value.type.shape[b])
    ):
        c.refuse(
            "half a turn of a plane that is not square, which Keras scrambles on TensorFlow",
            "use ops.flip over both axes",
        )
    if turns in (1, 3):
        value = c.b.flip(value, axes=(b if turns == 1 else a,))
        perm = list(range(rank))
        perm[a], perm[b] = perm[b], perm[a]
        return c.b.transpose(value, perm=tuple(perm))
    return c.b.flip(value, axes=tuple(sorted((a, b)))) if turns else value


@rule("ops.Copy", "ops.Array")
def copy(c: KerasContext, op: Any, x: Any) -> Value:
    kind = getattr(op, "dtype", None)
    return c.value(x) if kind is None else c.value(x, kind)


@rule("ops.Size")
def size(c: KerasContext, _: Any, x: Any) -> Value:
    if not on_tensorflow():
        c.refuse("the number of elements, which is a number of Python's on this backend", "use ops.shape")
    return c.cast(c.b.dim(size=count(c.value(x).type.shape)), dtypes.int32)


@rule("ops.Ndim")
def ndim(c: KerasContext, _: Any, x: Any) -> Any:
    return c.value(x).type.rank
