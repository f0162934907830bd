"""Sizes, reshaping and movement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.importers.partial.reshaping import bound_size, new_shape, ones_to_drop, reversed_sequences
from converter.importers.partial.values import Element, Ref, known
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import Dim, DType, dtypes, floordiv, normalize_axes, normalize_axis, numel, same


def axis_of(c: TensorflowContext, index: int, rank: int, what: str = "the axis") -> int:
    """An operand that holds one axis, known at conversion, as a non-negative number."""
    found = c.ints(index, what)
    if len(found) != 1:
        c.refuse(f"{what} is {list(found)}, not one number")
    return normalize_axis(found[0], rank)


def content(elements: Sequence[Any], dtype: DType) -> Ref:
    """Sizes as a known vector."""
    array = np.empty(len(elements), object)
    array[:] = list(elements)
    return known(dtype, array)


# -- sizes --------------------------------------------------------------------------------------------------------------
@rule("Shape", "ShapeN")
def shape(c: TensorflowContext) -> list[Ref]:
    return [content(c.type(i).shape, c.attr("out_type")) for i in range(len(c.inputs))]


@rule("Size")
def size(c: TensorflowContext) -> Ref:
    found = np.empty((), object)
    found[()] = numel(c.type().shape)
    return known(c.attr("out_type"), found)


@rule("Rank")
def rank(c: TensorflowContext) -> Ref:
    found = np.empty((), object)
    found[()] = c.rank()
    return known(dtypes.int32, found)


@rule("BroadcastArgs")
def broadcast_args(c: TensorflowContext) -> Ref:
    """The shape that two shapes broadcast to."""
    left, right = (list(c.elements(c.ref(i), "a shape").reshape(-1)) for i in (0, 1))
    if any(isinstance(e, Element) for e in (*left, *right)):
        c.refuse("the shape that two shapes of the run broadcast to")
    wide = max(len(left), len(right))
    left, right = ([1] * (wide - len(v)) + v for v in (left, right))
    return content([_common(c, a, b) for a, b in zip(left, right, strict=True)], c.type().dtype)


def _common(c: TensorflowContext, a: Dim, b: Dim) -> Dim:
    if a == 1 or same(a, b):
        return b
    if b == 1 or (same(a, b) is None and isinstance(a, int)):
        return a
    if isinstance(b, int):
        return b
    c.refuse(f"whether sizes {a} and {b} broadcast depends on the run")


# -- the same elements in other shapes ----------------------------------------------------------------------------------
@rule("Reshape")
def reshape(c: TensorflowContext) -> Value:
    """-1 is what is left; 0 is the size 0."""
    return c.b.reshape(c.x(), shape=new_shape(c, c.ref(1), keep_zero=True))


@rule("ExpandDims")
def expand_dims(c: TensorflowContext) -> Value:
    return c.b.unsqueeze(c.x(), axes=(axis_of(c, 1, c.rank() + 1),))


@rule("Squeeze")
def squeeze(c: TensorflowContext) -> Value:
    """The given axes, or all of size 1."""
    axes = normalize_axes(c.attr("squeeze_dims"), c.rank()) or ones_to_drop(c, "Squeeze")
    return c.b.squeeze(c.x(), axes=axes) if axes else c.b.identity(c.x())


@rule("BroadcastTo")
def broadcast_to(c: TensorflowContext) -> Value:
    return c.b.expand(c.x(), shape=c.dims(1, "the shape"))


@rule("Transpose", "ConjugateTranspose")
def transpose(c: TensorflowContext) -> Value:
    x = c.x()
    found = c.b.transpose(x, perm=normalize_axes(c.ints(1, "the permutation"), x.type.rank))
    return c.b.conj(found) if c.op == "ConjugateTranspose" and x.type.dtype.is_complex else found


# -- several tensors ----------------------------------------------------------------------------------------------------
@rule("Pack")
def pack(c: TensorflowContext) -> Value:
    return c.b.stack(c.xs(), axis=normalize_axis(c.attr("axis"), c.rank() + 1))


@rule("ParallelConcat")
def parallel_concat(c: TensorflowContext) -> Value:
    """Along the first axis, which each tensor has once."""
    c.ignore("shape")
    return _joined(c, c.xs(), 0)


@rule("Unpack")
def unpack(c: TensorflowContext) -> list[Value | None]:
    x, axis = c.x(), normalize_axis(c.attr("axis"), c.rank())
    count = c.attr("num")
    if same(x.type.shape[axis], count) is False:
        c.refuse(f"{count} parts of an axis of {x.type.shape[axis]}")
    return [c.b.select(x, axis=axis, index=i) if c.used(i) else None for i in range(count)]


@rule("Concat")
def concat(c: TensorflowContext) -> Value:
    values = [c.x(i) for i in range(1, len(c.inputs))]
    return _joined(c, values, axis_of(c, 0, values[0].type.rank))


@rule("ConcatV2")
def concat_v2(c: TensorflowContext) -> Value:
    last = len(c.inputs) - 1
    values = [c.x(i) for i in range(last)]
    return _joined(c, values, axis_of(c, last, values[0].type.rank))


def _joined(c: TensorflowContext, values: list[Value], axis: int) -> Value:
    return c.b.concat(values, axis=axis) if len(values) > 1 else c.b.identity(values[0])


@rule("Split")
def split(c: TensorflowContext) -> Any:
    """Equal parts."""
    axis, count = axis_of(c, 0, c.rank(1)), c.attr("num_split")
    have = c.type(1).shape[axis]
    part = floordiv(have, count)
    if part * count != have:
        c.refuse(f"size {have} does not divide into {count} equal parts", f"fix the size of axis {axis}")
    return _parts(c, c.x(1), (part,) * count, axis)


@rule("SplitV")
def split_v(c: TensorflowContext) -> Any:
    """Parts of given sizes; one of -1 takes what is left."""
    axis, sizes = axis_of(c, 2, c.rank()), list(c.dims(1, "the sizes of the parts"))
    c.ignore("num_split")
    open_ = [i for i, d in enumerate(sizes) if isinstance(d, int) and d < 0]
    if len(open_) > 1:
        c.refuse(f"parts of sizes {sizes}")
    for i in open_:
        rest = c.type().shape[axis]
        for k, d in enumerate(sizes):
            rest = rest - d if k != i else rest
        sizes[i] = rest
    return _parts(c, c.x(), tuple(sizes), axis)


def _parts(c: TensorflowContext, x: Value, sizes: tuple[Dim, ...], axis: int) -> list[Value]:
    return list(c.b.split(x, sizes=sizes, axis=axis)) if len(sizes) > 1 else [c.b.identity(x)]


@rule("Tile")
def tile(c: TensorflowContext) -> Value:
    repeats = c.dims(1, "the multiples")
    if len(repeats) != c.rank():
        c.refuse(f"multiples {list(repeats)} of a tensor of {c.rank()} axes")
    return c.b.tile(c.x(), repeats=repeats) if repeats else c.b.identity(c.x())


# -- order along axes ---------------------------------------------------------------------------------------------------
@rule("Reverse")
def reverse(c: TensorflowContext) -> Value:
    """A truth value for each axis."""
    axes = tuple(int(i) for i in np.flatnonzero(c.fixed(1, "which axes")))
    return _flipped(c, axes)


@rule("ReverseV2")
def reverse_v2(c: TensorflowContext) -> Value:
    return _flipped(c, normalize_axes(c.ints(1, "the axes"), c.rank()))


def _flipped(c: TensorflowContext, axes: tuple[int, ...]) -> Value:
    return c.b.flip(c.x(), axes=axes) if axes else c.b.identity(c.x())


@rule("ReverseSequence")
def reverse_sequence(c: TensorflowContext) -> Value:
    batch, time = (normalize_axis(c.attr(n), c.rank()) for n in ("batch_dim", "seq_dim"))
    if batch == time:
        c.refuse("sequences along the axis of the batch")
    lengths = c.cast(c.x(1), dtypes.int64)
    if c.const(1) is None or (c.fixed(1, "lengths") < 0).any():  # one beyond the end, which is an error behind it
        beyond = c.b.add(c.b.dim(size=c.type().shape[time]), 1)
        lengths = c.b.where(c.b.less(lengths, 0), beyond, lengths)
    return reversed_sequences(c, c.x(), lengths, batch, time, neg="invalid")


@rule("Roll")
def roll(c: TensorflowContext) -> Value:
    """Several shifts of one axis add up."""
    axes = tuple(normalize_axis(a, c.rank()) for a in c.ints(2, "the axes"))
    shifts = list(c.elements(c.ref(1), "the shifts").reshape(-1))
    if len(axes) != len(shifts):
        c.refuse(f"{len(shifts)} shifts for {len(axes)} axes")
    together: dict[int, Any] = {}
    for axis, shift in zip(axes, shifts, strict=True):
        amount = _turned(c, shift, axis) if isinstance(shift, Element) else shift
        together[axis] = together[axis] + amount if axis in together else amount
    if not together:
        return c.b.identity(c.x())
    return c.b.roll(c.x(), shifts=tuple(together.values()), axes=tuple(together))


def _turned(c: TensorflowContext, shift: Element, axis: int) -> Dim:
    """A shift that only the run knows, which may be negative, as a part of the axis."""
    amount = c.element_value(shift)
    size = c.cast(c.b.maximum(c.b.dim(size=c.type().shape[axis]), 1), amount.type.dtype)
    return bound_size(c, c.b.mod(amount, size))


# -- what TensorFlow's layout optimiser writes --------------------------------------------------------------------------
def format_order(c: TensorflowContext) -> list[int]:
    """Which element of a vector, or which row, of one for each axis (or each spatial axis) comes where."""
    source, target, count = c.attr("src_format"), c.attr("dst_format"), c.type().shape[0]
    if count == len(source) - 2:
        source, target = ("".join(k for k in f if k in "DHW"[count == 2 :]) for f in (source, target))
    if c.rank() not in (1, 2) or sorted(source) != sorted(target) or len(source) != count or len(set(source)) != count:
        c.refuse(f"{c.type()} from {c.attr('src_format')} to {c.attr('dst_format')}")
    return [source.index(k) for k in target]


@rule("DataFormatVecPermute")
def permute_sizes(c: TensorflowContext) -> Value:
    places = c.b.constant(np.array(format_order(c), np.int64))
    return c.b.gather(c.x(), places, axis=0, neg="invalid")


@rule("DataFormatDimMap")
def map_axes(c: TensorflowContext) -> Value:
    """Positions of axes; negative ones count from the end. TensorFlow reads anything for those below that."""
    source, target = c.attr("src_format"), c.attr("dst_format")
    if sorted(source) != sorted(target) or len(set(source)) != len(source):
        c.refuse(f"axes from {source} to {target}")
    places = np.array([target.index(k) for k in source], c.type().dtype.numpy)
    return c.b.gather(c.b.constant(places), c.b.mod(c.x(), len(source)), axis=0, neg="invalid")
