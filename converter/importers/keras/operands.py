"""What many rules share: operands in the dtype that Keras computes in."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext
from ir.core import Value
from ir.types import normalize_axis


def both(c: KerasContext, x1: Any, x2: Any, *more: str) -> tuple[Value, Value]:
    """Two operands in their common dtype (with that of further dtype names)."""
    kind = c.result_type(x1, x2, *more)
    return c.value(x1, kind), c.value(x2, kind)


def floating(c: KerasContext, x: Any) -> Value:
    """An operand as floats: integers and booleans become Keras' default, as its float functions have it."""
    value = c.value(x)
    kind = value.type.dtype
    if kind.is_float or kind.is_complex:
        return value
    from keras import config

    return c.cast(value, config.floatx())


def axis_of(axis: Any, rank: int) -> int:
    """One axis, counted from the front; raises ValueError outside the rank."""
    return normalize_axis(int(axis), rank)


def axes_of(axis: Any, rank: int) -> tuple[int, ...]:
    """Axes counted from the front, in order; None is all."""
    if axis is None:
        return tuple(range(rank))
    items = axis if isinstance(axis, (tuple, list)) else (axis,)
    return tuple(sorted(axis_of(a, rank) for a in items))
