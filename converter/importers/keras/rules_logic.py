"""Truth values."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from ir.core import Value

_TABLE = {"LogicalAnd": "and_", "LogicalOr": "or_", "LogicalXor": "xor"}


def _logical(name: str, op: str) -> None:
    def convert(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
        return getattr(c.b, op)(c.value(x1, "bool"), c.value(x2, "bool"))

    rule.add(f"ops.{name}", convert, op)


for _name, _op in _TABLE.items():
    _logical(_name, _op)


@rule("ops.LogicalNot")
def logical_not(c: KerasContext, _: Any, x: Any) -> Value:
    return c.b.not_(c.value(x, "bool"))
