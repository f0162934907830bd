"""Slices. Bounds of StridedSlice are Python's; those of Slice must fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.importers.partial.reshaping import bound_size
from converter.importers.partial.values import Element
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.ops.slicing import sliced_shape
from ir.types import Dim, dtypes, same
from ir.types.dim import bounds


@rule("Slice")
def slice_(c: TensorflowContext) -> Value:
    """A block at `begin` of `size`; -1 is all that is left. One that does not fit is an error."""
    x = c.x()
    begin = list(c.elements(c.ref(1), "begin").reshape(-1))
    size = list(c.elements(c.ref(2), "size").reshape(-1))
    if not len(begin) == len(size) == x.type.rank:
        c.refuse(f"{len(begin)} starts and {len(size)} sizes for {x.type}")
    sizes = tuple(_block_size(c, b, s, d) for b, s, d in zip(begin, size, x.type.shape, strict=True))
    if all(_fits(b, s, d) for b, s, d in zip(begin, sizes, x.type.shape, strict=True)):
        axes = tuple(
            i for i, (b, s) in enumerate(zip(begin, sizes, strict=True)) if b != 0 or not same(s, x.type.shape[i])
        )
        if not axes:
            return c.b.identity(x)
        starts = tuple(begin[i] for i in axes)
        stops = tuple(begin[i] + sizes[i] for i in axes)
        return c.b.slice(x, axes=axes, starts=starts, stops=stops, steps=(1,) * len(axes))
    starts = tuple(_scalar(c, b) for b in begin)
    return c.b.dynamic_slice(x, starts, sizes=sizes, bounds="error", neg="invalid")


def _block_size(c: TensorflowContext, begin: Any, size: Any, whole: Dim) -> Dim:
    if isinstance(size, Element):
        c.note(
            "a slice of size -1 that only the run finds, all that is left in TensorFlow, is an error in the converted model"
        )
        return c.dim(size)
    if isinstance(size, int) and size < 0:
        if size != -1:
            c.refuse(f"a slice of size {size}")
        return whole - c.dim(begin)
    return size


def _fits(begin: Any, size: Dim, whole: Dim) -> bool:
    """Whether a block certainly lies within an axis."""
    if isinstance(begin, Element):
        return False
    low, room = bounds(begin)[0], bounds(whole - begin - size)[0]
    return low is not None and low >= 0 and room is not None and room >= 0


def _scalar(c: TensorflowContext, element: Any) -> Value:
    if isinstance(element, Element):
        return c.element_value(element)
    return c.b.constant(element) if isinstance(element, int) else c.b.dim(size=element)


# -- StridedSlice -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Piece:
    """What one place of a subscript does: `new`, `index` or `slice` an axis of the operand (none for `new`)."""

    kind: str
    axis: int = -1
    start: Any = None
    stop: Any = None
    step: int = 1


def pieces(c: TensorflowContext, rank: int, first: int = 1) -> list[Piece]:
    """The subscript that begin, end and strides (from input `first` on) and the five masks spell."""
    begin, end = (list(c.elements(c.ref(first + i), w).reshape(-1)) for i, w in ((0, "begin"), (1, "end")))
    strides = c.ints(first + 2, "the strides")
    masks = {n: c.attr(f"{n}_mask") for n in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}

    def bit(name: str, i: int) -> bool:
        return bool(masks[name] >> i & 1)

    count = len(strides)
    dots = [i for i in range(count) if bit("ellipsis", i)]
    if len(dots) > 1 or not len(begin) == len(end) == count:
        c.refuse("a subscript with two ellipses, or bounds of different lengths")
    taken = sum(not bit("new_axis", i) for i in range(count) if i not in dots)
    if taken > rank:
        c.refuse(f"{taken} indices for {rank} axes")
    found: list[Piece] = []
    axis = 0
    for i in range(count):
        if i in dots:
            axis += rank - taken
        elif bit("new_axis", i):
            found.append(Piece("new"))
        else:
            found.append(_piece(c, bit, i, axis, begin[i], end[i], strides[i]))
            axis += 1
    return _with_rest(found, rank, axis, dots, count, bit)


def _piece(c: TensorflowContext, bit: Any, i: int, axis: int, start: Any, stop: Any, step: int) -> Piece:
    if bit("shrink_axis", i):
        if step <= 0:
            c.refuse("an index with a negative stride")
        return Piece("index", axis, start)
    if step == 0:
        c.refuse("a stride of 0")
    return Piece("slice", axis, None if bit("begin", i) else start, None if bit("end", i) else stop, step)


def _with_rest(found: list[Piece], rank: int, axis: int, dots: list[int], count: int, bit: Any) -> list[Piece]:
    """Whole axes where the ellipsis stands, or at the end."""
    used = {p.axis for p in found}
    rest = [Piece("slice", a) for a in range(rank) if a not in used]
    place = len(found) if not dots else dots[0]
    return [*found[:place], *rest, *found[place:]]


@rule("StridedSlice")
def strided_slice(c: TensorflowContext) -> Value:
    x = c.x()
    parts = pieces(c, x.type.rank)
    x = _sliced(c, x, [p for p in parts if p.kind == "slice"])
    dropped = 0
    for p in parts:
        if p.kind == "index":
            x = _indexed(c, x, p.axis - dropped, p.start)
            dropped += 1
    kept = [p for p in parts if p.kind != "index"]
    new = tuple(i for i, p in enumerate(kept) if p.kind == "new")
    if new:
        x = c.b.unsqueeze(x, axes=new)
    return c.b.identity(x) if x is c.x() else x


def _sliced(c: TensorflowContext, x: Value, parts: list[Piece]) -> Value:
    """All slices at once; those whose bounds only the run knows are resolved there."""
    moving = [p for p in parts if isinstance(p.start, Element) or isinstance(p.stop, Element)]
    for p in moving:
        x = _moving(c, x, p)
    fixed = [p for p in parts if p not in moving and (p.start is not None or p.stop is not None or p.step != 1)]
    if not fixed:
        return x
    return c.b.slice(
        x,
        axes=tuple(p.axis for p in fixed),
        starts=tuple(p.start for p in fixed),
        stops=tuple(p.stop for p in fixed),
        steps=tuple(p.step for p in fixed),
    )


def _moving(c: TensorflowContext, x: Value, p: Piece) -> Value:
    """A slice between bounds of the run. Backwards it is one of the flipped axis."""
    size = x.type.shape[p.axis]
    start, stop = (_resolved(c, bound, size, p.step > 0) for bound in (p.start, p.stop))
    step = p.step
    if step < 0:
        x, step = c.b.flip(x, axes=(p.axis,)), -step
    return c.b.slice(x, axes=(p.axis,), starts=(start,), stops=(stop,), steps=(step,))


def _resolved(c: TensorflowContext, bound: Any, size: Dim, forward: bool) -> Any:
    """A bound as a position that is not negative: negative ones count from the end, then they are clamped. Backwards it
    is the place in the flipped axis."""
    if bound is None:
        return None
    if isinstance(bound, int):  # -1 backwards would be before the first
        bound = Element(_constant(c, bound), ())
    b = c.b
    at = c.cast(c.element_value(bound) if isinstance(bound, Element) else b.dim(size=bound), dtypes.int64)
    whole = b.dim(size=size)
    at = b.where(b.less(at, 0), b.add(at, whole), at)
    if forward:
        return bound_size(c, b.minimum(b.maximum(at, 0), whole))
    at = b.minimum(b.maximum(at, -1), b.sub(whole, 1))
    return bound_size(c, b.sub(b.sub(whole, 1), at))


def _constant(c: TensorflowContext, value: int) -> Any:
    from converter.importers.partial.values import known

    found = np.empty((), object)
    found[()] = value
    return known(dtypes.int64, found)


def _indexed(c: TensorflowContext, x: Value, axis: int, index: Any) -> Value:
    """One position of an axis; negative ones count from the end."""
    if isinstance(index, Element):
        return c.b.gather(x, c.element_value(index), axis=axis, bounds="error", neg="from_end")
    return c.b.select(x, axis=axis, index=index)


@rule("TensorStridedSliceUpdate")
def strided_slice_update(c: TensorflowContext) -> Value:
    return _updated(c, c.x(0))


@rule("ResourceStridedSliceAssign")
def strided_slice_assign(c: TensorflowContext) -> None:
    """A slice of a variable set."""
    c.assign(c.variable(0), _updated(c, c.value(c.read_variable(0))))


def _updated(c: TensorflowContext, x: Value) -> Value:
    """`x` with a slice replaced by operand 4, which broadcasts to it."""
    value = c.x(4)
    parts = pieces(c, x.type.rank)
    if any(isinstance(v, Element) for p in parts for v in (p.start, p.stop)):
        c.refuse("an update of a slice whose bounds only the run knows")
    axes = [p for p in parts if p.kind != "new"]
    kept = [p for p in parts if p.kind != "index"]
    if value.type.rank > len(kept):
        c.refuse(f"an update of {value.type.rank} axes for a slice of {len(kept)}")
    value = c.b.reshape(value, shape=(1,) * (len(kept) - value.type.rank) + value.type.shape)
    if new := tuple(i for i, p in enumerate(kept) if p.kind == "new"):
        value = c.b.squeeze(value, axes=new)
    if gone := tuple(i for i, p in enumerate(axes) if p.kind == "index"):
        value = c.b.unsqueeze(value, axes=gone)
    bounds_ = [(p.start, _after(p.start)) if p.kind == "index" else (p.start, p.stop) for p in axes]
    where = {
        "axes": tuple(p.axis for p in axes),
        "starts": tuple(a for a, _ in bounds_),
        "stops": tuple(b for _, b in bounds_),
        "steps": tuple(p.step for p in axes),
    }
    shape = sliced_shape(x.type.shape, **where)
    if shape != value.type.shape:
        value = c.b.expand(value, shape=shape)
    return c.b.slice_update(x, value, **where)


def _after(index: Dim) -> Dim | None:
    """The stop behind an index."""
    return None if index == -1 else index + 1
