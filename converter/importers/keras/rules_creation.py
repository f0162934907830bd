"""Tensors of sizes: functions that make them from nothing are the backend's own."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from ir.core import Value
from ir.types import dtype


def _full(name: str, number: float) -> None:
    def convert(c: KerasContext, shape: Any, dtype: Any = None) -> Value:
        return filled(c, shape, number, dtype)

    rule.add(f"backend.numpy.{name}", convert, name)


for _name, _number in (("zeros", 0), ("ones", 1)):
    _full(_name, _number)


def filled(c: KerasContext, shape: Any, number: Any, kind: Any) -> Value:
    """A tensor of one number."""
    from keras import config

    wanted = dtype(kind or config.floatx())
    return c.b.expand(c.number(number, wanted), shape=c.dims(shape))
