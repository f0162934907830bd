"""What many rules share: operands in the dtype that Keras computes in."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.keras.context import KerasContext
from ir.core import Value
from ir.types import Dim, normalize_axis


def both(c: KerasContext, x1: Any, x2: Any, *more: Any) -> tuple[Value, Value]:
    """Two operands in their common dtype (with further dtype names, or Python types)."""
    kind = c.result_type(x1, x2, *more)
    return c.value(_number(x1), kind), c.value(_number(x2), kind)


def _number(item: Any) -> Any:
    """A Python float as torch's backend takes it: rounded to float32, beside doubles, too."""
    from keras import config

    return float(np.float32(item)) if type(item) is float and config.backend() == "torch" else item


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


def on_tensorflow() -> bool:
    """Whether the running backend is TensorFlow: where backends differ, an operation means what the running one does."""
    from keras import config

    return bool(config.backend() == "tensorflow")


def doubles(c: KerasContext, x: Any) -> Value:
    """As `floating`; TensorFlow's functions of this kind take 64-bit integers to float64."""
    value = c.value(x)
    if value.type.dtype.name == "int64":
        if not on_tensorflow():
            c.refuse(
                "64-bit integers, of which torch's functions make floats of one width or the other", "cast them first"
            )
        return c.cast(value, "float64")
    return floating(c, value)


def strong(c: KerasContext, *items: Any) -> tuple[Value, ...]:
    """Operands in their common dtype, as functions have it that make a tensor of each first: on TensorFlow a number
    then counts as int32 or float32 (and is rounded to that), on the others it follows the tensors."""
    if not on_tensorflow():
        kind = c.result_type(*items)
        return tuple(c.value(_number(x), kind) for x in items)
    kind = c.result_type(*(_NUMBERS.get(type(x), x) for x in items))
    return tuple(c.value(float(np.float32(x)) if type(x) is float else x, kind) for x in items)


_NUMBERS: dict[type, str] = {bool: "bool", int: "int32", float: "float32"}


def flat(c: KerasContext, value: Value) -> Value:
    """All elements in one axis."""
    return value if value.type.rank == 1 else c.b.reshape(value, shape=(count(value.type.shape),))


def count(shape: tuple[Dim, ...]) -> Dim:
    """The number of elements."""
    total: Dim = 1
    for d in shape:
        total = d * total
    return total


def widened(kind: str) -> str:
    """The dtype in which sums and products of small integers are taken."""
    if kind in ("bool", "int8", "int16"):
        return "int32"
    return "uint32" if kind in ("uint8", "uint16") else kind
