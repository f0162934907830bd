"""Casts, and what makes tensors of other things."""

from __future__ import annotations

from typing import Any

from converter.importers.base import Refusal
from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.spelled import spelled
from ir.core import Value
from ir.types import dtype


@rule("ops.Cast")
def cast(c: KerasContext, op: Any, x: Any) -> Value:
    """Complex numbers keep their real parts."""
    value = c.value(x)
    if value.type.dtype.is_complex and not dtype(op.dtype).is_complex:
        value = c.b.real(value)
    return c.cast(value, op.dtype)


@spelled("ops.SaturateCast")
def saturate_cast(op: Any, x: Any) -> Any:
    """What is out of range becomes the nearest that is not, by Keras' own limits."""
    from keras import config
    from keras.src.ops.core import _saturate_cast

    if config.backend() == "jax" and "float" in x.dtype and str(op.dtype) in ("int32", "uint32", "int64", "uint64"):
        reason = "floats saturated to 32 bits on jax, whose cast takes the limit that float32 cannot hold for the nearest that fits"
        raise Refusal(reason, "clip to a smaller range, then cast")
    return _saturate_cast(x, op.dtype)


@rule("ops.ConvertToTensor")
def convert_to_tensor(c: KerasContext, op: Any, x: Any) -> Value:
    if op.sparse or getattr(op, "ragged", None):
        c.refuse("sparse and ragged tensors")
    return c.value(x, op.dtype) if op.dtype is not None else c.value(x)


@rule("ops.StopGradient")
def stop_gradient(c: KerasContext, _: Any, variable: Any) -> Value:
    value = c.value(variable)
    return c.b.stop_gradient(value) if value.type.dtype.is_float or value.type.dtype.is_complex else value
