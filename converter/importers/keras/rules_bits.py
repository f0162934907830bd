"""Integers bit by bit."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import both, strong
from ir.core import Value
from ir.types import dtype

_TABLE = {"BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or", "BitwiseXor": "bitwise_xor"}


def _binary(name: str, op: str) -> None:
    def convert(c: KerasContext, _: Any, x: Any, y: Any) -> Value:
        a, b = strong(c, x, y)
        return getattr(c.b, op)(a, b)

    rule.add(f"ops.{name}", convert, op)


for _name, _op in _TABLE.items():
    _binary(_name, _op)


@rule("ops.BitwiseInvert", "ops.BitwiseNot")
def bitwise_not(c: KerasContext, _: Any, x: Any) -> Value:
    return c.b.bitwise_not(c.value(x))


@rule("ops.BitwiseLeftShift", "ops.LeftShift", "ops.BitwiseRightShift", "ops.RightShift")
def shift(c: KerasContext, op: Any, x: Any, y: Any) -> Value:
    """A Python number takes the dtype of the tensor. Shifts by the width or more are left open by the backends."""
    a, b = both(c, x, y) if isinstance(y, int) else strong(c, x, y)
    if a.type.dtype.is_bool:
        c.refuse("shifts of booleans", "cast them first")
    return c.b.shift_left(a, b) if "Left" in type(op).__name__ else c.b.shift_right(a, b)


@rule("ops.View")
def view(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    wanted = dtype(op.dtype) if op.dtype is not None else value.type.dtype
    if wanted == value.type.dtype:
        return value
    if wanted.bits != value.type.dtype.bits:
        c.refuse("bits read as elements of another width", "use a dtype of the same width")
    return c.b.bitcast(value, to=wanted)
