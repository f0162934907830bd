"""New shapes given as tensors: codes resolved to sizes, at conversion where they are known and in the graph where not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from converter.importers.partial.context import PartialContext
from converter.importers.partial.values import Element, Ref
from ir.core import Value
from ir.types import Dim, dim_max, dtypes, floordiv, numel, require_same, symbol, symbols


def new_shape(c: PartialContext, target: Ref, keep_zero: bool) -> tuple[Dim, ...]:
    """The shape that operand 0 takes. The code -1 is what is left; 0 copies the operand's own size unless `keep_zero`."""
    if target.type.rank > 1 or not target.dtype.is_integer:
        c.refuse(f"the new shape must be a vector of integers, got {target.type}")
    elements = c.elements(target, "the new shape").reshape(-1)
    if any(isinstance(e, Element) for e in elements):
        return _run_time_shape(c, target, keep_zero)
    return resolve_shape(c, c.type().shape, tuple(c.dim(e) for e in elements), keep_zero)


def _run_time_shape(c: PartialContext, ref: Ref, keep_zero: bool) -> tuple[Dim, ...]:
    """The sizes of a shape that only the run knows, its codes 0 and -1 resolved there."""
    b, have = c.b, c.type().shape
    target = c.cast(c.value(ref), dtypes.int64)
    count = target.type.shape[0]
    assert isinstance(count, int)  # its elements were listed
    if not keep_zero:
        copied = [b.dim(size=d) for d in have[:count]] + [b.constant(np.array(0, np.int64))] * (count - len(have))
        target = b.where(b.equal(target, 0), b.stack(copied, axis=0), target)
    others = b.reduce_prod(b.where(b.equal(target, -1), 1, target), axes=(0,))
    rest = b.floor_div(b.dim(size=numel(have)), b.maximum(others, 1))
    target = b.where(b.equal(target, -1), rest, target)
    return tuple(bound_size(c, b.select(target, axis=0, index=i)) for i in range(count))


def bound_size(c: PartialContext, value: Value) -> Dim:
    """The size that a 0-d integer says at run time; it must not be negative there."""
    name = c._fresh_symbol()
    c.b.bind_dim(c.cast(value, dtypes.int64), symbol=name)
    return symbol(name, opaque=True)


def resolve_shape(c: PartialContext, shape: Sequence[Dim], target: Sequence[Dim], keep_zero: bool) -> tuple[Dim, ...]:
    """Sizes for the codes: 0 copies the input's size at that place (unless `keep_zero`), one -1 takes what is left."""
    sizes: list[Dim] = []
    for i, d in enumerate(target):
        if d == 0 and not keep_zero:
            if i >= len(shape):
                c.refuse(f"the code 0 at place {i} has no size to copy from {list(shape)}")
            d = shape[i]
        sizes.append(d)
    codes = [i for i, d in enumerate(sizes) if isinstance(d, int) and d < 0]
    if len(codes) > 1 or any(sizes[i] != -1 for i in codes):
        c.refuse(f"the new shape {list(target)} is not defined")
    for i in codes:
        sizes[i] = _rest(c, list(shape), [d for k, d in enumerate(sizes) if k != i])
    return tuple(sizes)


def _rest(c: PartialContext, have: list[Dim], others: list[Dim]) -> Dim:
    """numel(have) / numel(others), equal factors cancelled first so that symbolic sizes divide exactly."""
    if any(d == 0 for d in have) and any(d == 0 for d in others):
        c.refuse("-1 in the new shape of an empty tensor is not defined")
    left = []
    for d in have:
        if d in others and d != 0:
            others.remove(d)
        else:
            left.append(d)
    return floordiv(numel(left), numel(others))


def ones_to_drop(c: PartialContext, op: str) -> tuple[int, ...]:
    """Axes of operand 0 that have size 1. Where the size is open, it is assumed not to be 1."""
    dims = c.type().shape
    if unknown := [str(d) for d in dims if any(s.opaque for s in symbols(d))]:
        c.refuse(
            f"without axes, whether sizes {', '.join(unknown)} are 1 depends on the run", "fix these sizes with -i"
        )
    for d in dims:
        if not isinstance(d, int):
            require_same(d, dim_max(d, 2), f"{op} without axes keeps this axis")
    return tuple(i for i, d in enumerate(dims) if d == 1)


def padded_with(c: PartialContext, padded: Value, value: Value) -> Value:
    """Operand 0 padded with a value of one element that only the run knows, where it was padded with zeros: a mask padded alike says
    where."""
    assert padded.producer is not None  # just made
    pads = padded.producer.attrs["pads"]
    inside = c.b.pad(c.b.full(shape=c.type().shape, value=True, dtype=dtypes.bool_), pads=pads, value=False)
    return c.b.where(inside, padded, c.b.reshape(value, shape=()))


def reversed_sequences(c: PartialContext, x: Value, lengths: Value, batch: int, time: int, neg: str) -> Value:
    """Each sequence of the batch reversed over its own length: a gather at computed positions."""
    require_same(x.type.shape[batch], lengths.type.shape[0], "a length for each sequence")
    lengths = c.cast(lengths, dtypes.int64)
    inner = int(batch > time), int(time > batch)  # axes of positions, which have these two alone
    steps = c.b.unsqueeze(c.b.arange(start=0, stop=x.type.shape[time], step=1, dtype="int64"), axes=(inner[0],))
    bound = c.b.unsqueeze(lengths, axes=(inner[1],))
    mirrored = c.b.sub(c.b.sub(bound, 1), steps)
    positions = c.b.where(c.b.less(steps, bound), mirrored, steps)
    extra = tuple(i for i in range(x.type.rank) if i not in (batch, time))
    if extra:
        positions = c.b.expand(c.b.unsqueeze(positions, axes=extra), shape=x.type.shape)
    return c.b.gather_elements(x, positions, axis=time, bounds="error", neg=neg)
