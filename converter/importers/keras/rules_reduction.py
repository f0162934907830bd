"""Reductions over axes."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import axes_of, floating
from ir.core import Value


@rule("ops.Mean")
def mean(c: KerasContext, op: Any, x: Any) -> Value:
    value = floating(c, x)
    return c.b.reduce_mean(value, axes=axes_of(op.axis, value.type.rank), keepdims=bool(op.keepdims))


@rule("ops.Max")
def maximum(c: KerasContext, op: Any, x: Any) -> Value:
    if op.initial is not None:
        c.refuse("an initial value")
    value = c.value(x)
    return c.b.reduce_max(value, axes=axes_of(op.axis, value.type.rank), keepdims=bool(op.keepdims))
