"""What passes may take for a compile-time constant: a `constant` node, never a parameter."""

from __future__ import annotations

import numpy as np

from ir.core.graph import Value
from ir.types import DimExpr


def constant_of(value: Value) -> np.ndarray | None:
    """The tensor behind a value made by a `constant` node; None for any other value."""
    node = value.producer
    return node.attrs["value"].value if node is not None and node.op.name == "constant" else None


def uniform(value: Value) -> bool | int | float | complex | None:
    """The one number that fills a constant or a `full`; None where there is no such number.

    Zeros of both signs are not one number, nor are two NaNs of different bits.
    """
    node = value.producer
    if node is not None and node.op.name == "full":
        number = node.attrs["value"]
        if isinstance(number, DimExpr):
            return None
        filled: np.ndarray = np.asarray(number).astype(value.type.dtype.numpy)
    else:
        array = constant_of(value)
        if array is None or array.size == 0:
            return None
        flat = array.reshape(-1)
        if flat.tobytes() != flat[:1].tobytes() * flat.size:
            return None
        filled = flat[0]
    dtype = value.type.dtype
    if dtype.is_bool:
        return bool(filled)
    return complex(filled) if dtype.is_complex else float(filled) if dtype.is_float else int(filled)
