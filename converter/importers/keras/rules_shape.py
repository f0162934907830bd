"""Shapes and movement."""

from __future__ import annotations

import math
from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import axes_of, axis_of
from ir.core import Value
from ir.types import Dim
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


@rule("ops.Transpose")
def transpose(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    rank = value.type.rank
    perm = tuple(reversed(range(rank))) if op.axes is None else tuple(axis_of(a, rank) for a in op.axes)
    return c.b.transpose(value, perm=perm)


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
    axes = ones if op.axis is None else axes_of(op.axis, value.type.rank)
    return c.b.squeeze(value, axes=axes)


@rule("ops.Concatenate")
def concatenate(c: KerasContext, op: Any, xs: Any) -> Value:
    kind = c.result_type(*xs)
    values = [c.value(x, kind) for x in xs]
    return c.b.concat(values, axis=axis_of(op.axis, values[0].type.rank))


@rule("ops.Pad")
def pad(c: KerasContext, op: Any, x: Any, constant_values: Any = None) -> Value:
    value = c.value(x)
    mode = {"constant": "constant", "reflect": "reflect", "symmetric": "symmetric"}.get(op.mode)
    if mode is None:
        c.refuse(f"padding of kind {op.mode!r}")
    pads = tuple((c.dim(a), c.dim(b)) for a, b in op.pad_width)
    return c.b.pad(value, pads=pads, mode=mode, value=constant_values or 0)
