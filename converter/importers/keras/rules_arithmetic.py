"""Arithmetic of two operands."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import both
from ir.core import Value

_TABLE = {"Add": "add", "Subtract": "sub", "Multiply": "mul", "Maximum": "maximum", "Minimum": "minimum"}


def _binary(name: str, op: str) -> None:
    def convert(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
        x, y = both(c, x1, x2)
        return getattr(c.b, op)(x, y)

    rule.add(f"ops.{name}", convert, op)


for _name, _op in _TABLE.items():
    _binary(_name, _op)


@rule("ops.Divide", "ops.TrueDivide")
def divide(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
    x, y = both(c, x1, x2, float)
    return c.b.div(x, y)
