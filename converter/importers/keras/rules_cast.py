"""Casts, and what makes tensors of other things."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from ir.core import Value


@rule("ops.Cast")
def cast(c: KerasContext, op: Any, x: Any) -> Value:
    return c.value(x, op.dtype)


@rule("ops.ConvertToTensor")
def convert_to_tensor(c: KerasContext, op: Any, x: Any) -> Value:
    if op.sparse or getattr(op, "ragged", None):
        c.refuse("sparse and ragged tensors")
    return c.value(x, op.dtype) if op.dtype is not None else c.value(x)
