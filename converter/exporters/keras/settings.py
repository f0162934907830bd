"""What constructors of layers share."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, lift
from converter.exporters.keras.constants import dtype_name
from ir.core import Value


def layer_dtype(value: Value) -> dict[str, Expr]:
    """`dtype=` for layers that do not compute in float32."""
    dtype = value.type.dtype
    return {} if dtype.name == "float32" else {"dtype": lift(dtype_name(dtype))}


def static_shape(value: Value) -> tuple[int | None, ...]:
    """A shape as layers are built by: None for sizes that vary."""
    return tuple(d if isinstance(d, int) else None for d in value.type.shape)
