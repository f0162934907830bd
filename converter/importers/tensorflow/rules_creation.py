"""Tensors from nothing but sizes and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.partial.values import Element, known, objects
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import dtypes, normalize_axis


def number(c: TensorflowContext, index: int) -> Any:
    """A 0-d operand as a Python number; None where only the run knows it, or where it is complex."""
    found = c.const(index)
    if found is None or found.size != 1 or found.dtype.kind == "c":
        return None
    return found.reshape(()).item() if found.dtype.kind in "biu" else float(found.reshape(()))


@rule("Fill")
def fill(c: TensorflowContext) -> Value:
    shape, value = c.dims(0, "the shape"), number(c, 1)
    if c.rank(1) != 0:
        c.refuse(f"a fill with {c.type(1)}, which is not one number")
    if value is None:
        return c.b.expand(c.x(1), shape=shape)
    return c.b.full(shape=shape, value=value, dtype=c.type(1).dtype)


@rule("ZerosLike", "OnesLike")
def like(c: TensorflowContext) -> Value:
    kind = c.type().dtype
    one = c.op == "OnesLike"
    if kind.is_complex:
        return c.b.expand(c.b.constant(np.asarray(int(one), kind.numpy)), shape=c.type().shape)
    return c.b.full(shape=c.type().shape, value=one if kind.is_bool else int(one), dtype=kind)


@rule("Empty")
def empty(c: TensorflowContext) -> Value:
    """Zeros, where they are asked for."""
    c.only("init", True, advice="create zeros instead")
    kind = c.attr("dtype")
    return c.b.full(shape=c.dims(0, "the shape"), value=False if kind.is_bool else 0, dtype=kind)


@rule("Range")
def range_(c: TensorflowContext) -> Any:
    """Known bounds make an arange; a bound on the wrong side of the start is an error."""
    kind = c.type().dtype
    if kind.is_half:
        c.refuse(f"a range of {kind}, whose length is rounded", "make it of float32 and cast it")
    bounds = [_element(c, i) for i in range(3)]
    if any(b is None for b in bounds):
        c.note(
            "a range whose limit lies before its start is an error in TensorFlow; in the converted model it is empty"
        )
        return c.b.range(c.x(0), c.x(1), c.x(2), symbol=c._fresh_symbol())
    start, stop, step = bounds
    plain = all(isinstance(b, (int, float)) for b in bounds)
    if isinstance(step, (int, float)) and step == 0:
        c.refuse("a range with steps of 0")
    if plain and (stop - start) * (1 if step > 0 else -1) < 0:
        c.refuse("a range whose limit lies before its start")
    if plain and kind.is_integer and len(range(start, stop, step)) <= SMALL:
        return known(kind, objects(np.array(range(start, stop, step), kind.numpy)))
    return c.b.arange(start=start, stop=stop, step=step, dtype=kind)


SMALL = 64
"""Ranges up to this length are looked into."""


def _element(c: TensorflowContext, index: int) -> Any:
    """A bound as a number or a size; None where only the run knows it."""
    ref = c.ref(index)
    if ref.dtype.is_float:
        return number(c, index)
    found = ref.elements()
    if found is None or found.size != 1 or isinstance(found.reshape(-1)[0], Element):
        return None
    return found.reshape(-1)[0]


@rule("LinSpace")
def lin_space(c: TensorflowContext) -> Value:
    """Steps of one rounded width; the last number is the end itself."""
    count = c.ints(2, "the count")[0]
    if count < 1:
        c.refuse(f"{count} numbers")
    b, start, stop = c.b, c.x(0), c.x(1)
    kind = start.type.dtype
    first = b.reshape(start, shape=(1,))
    if count == 1:
        return first
    width = b.div(b.sub(stop, start), b.constant(np.asarray(count - 1, kind.numpy)))
    places = b.cast(b.arange(start=1, stop=count - 1, step=1, dtype=dtypes.int64), to=kind)
    return b.concat([first, b.add(start, b.mul(width, places)), b.reshape(stop, shape=(1,))], axis=0)


@rule("OneHot")
def one_hot(c: TensorflowContext) -> Value:
    """What is no position gives a row of `off`, negative numbers, too."""
    depth = c.dims(1, "the depth")
    if len(depth) != 1:
        c.refuse(f"a depth of {len(depth)} numbers")
    axis = normalize_axis(c.attr("axis"), c.rank() + 1)
    kind, on, off = c.type(2).dtype, number(c, 2), number(c, 3)
    if on is not None and off is not None:
        return c.b.one_hot(c.x(), depth=depth[0], axis=axis, on=on, off=off, dtype=kind, neg="invalid")
    hot = c.b.one_hot(c.x(), depth=depth[0], axis=axis, on=True, off=False, dtype=dtypes.bool_, neg="invalid")
    return c.b.where(hot, c.x(2), c.x(3))
