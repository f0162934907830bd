"""Activations."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import floating
from ir.core import Value

_TABLE = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Silu": "silu", "Softsign": "softsign", "LogSigmoid": "log_sigmoid",
    "Selu": "selu", "TanhShrink": "tanh_shrink", "HardSilu": "hard_swish", "HardSigmoid": "hard_sigmoid",
}  # fmt: skip


def _unary(name: str, op: str) -> None:
    def convert(c: KerasContext, _: Any, x: Any) -> Value:
        return getattr(c.b, op)(c.value(x))

    rule.add(f"ops.{name}", convert, op)


for _name, _op in _TABLE.items():
    _unary(_name, _op)


@rule("ops.Softmax")
def softmax(c: KerasContext, op: Any, x: Any) -> Value:
    return c.b.softmax(floating(c, x), axis=op.axis)


@rule("ops.Gelu")
def gelu(c: KerasContext, op: Any, x: Any) -> Value:
    return c.b.gelu(c.value(x), approximate="tanh" if op.approximate else "none")


@rule("ops.Relu6")
def relu6(c: KerasContext, _: Any, x: Any) -> Value:
    value = c.value(x)
    return c.b.clip(value, c.number(0, value.type.dtype), c.number(6, value.type.dtype))
