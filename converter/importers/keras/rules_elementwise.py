"""Functions of one operand."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import floating
from ir.core import Value

_FLOAT = {"Exp": "exp", "Log": "log", "Tanh": "tanh", "Sqrt": "sqrt", "Rsqrt": "rsqrt", "Sin": "sin", "Cos": "cos"}
_ANY = {"Negative": "neg", "Absolute": "abs", "Abs": "abs", "Square": "square"}


def _unary(name: str, op: str, floats: bool) -> None:
    def convert(c: KerasContext, _: Any, x: Any) -> Value:
        return getattr(c.b, op)(floating(c, x) if floats else c.value(x))

    rule.add(f"ops.{name}", convert, op)


for _name, _op in _FLOAT.items():
    _unary(_name, _op, True)
for _name, _op in _ANY.items():
    _unary(_name, _op, False)
