"""Constants as source text: exact in their own dtype."""

from __future__ import annotations

import numpy as np

from converter.exporters.code.expr import Call, Expr, Name, lift
from converter.exporters.code.numbers import nested
from ir.types import DType

INLINE_ELEMENTS = 64
"""Constants of at most so many elements stand in the source."""


def dtype_expr(dtype: DType) -> Name:
    """`tf.float32`."""
    return Name(f"tf.{'bool' if dtype.is_bool else dtype.name}")


def tensor_literal(array: np.ndarray, dtype: DType) -> Expr:
    """`tf.constant([...], tf.float32)`."""
    if array.size == 0:
        return Call(Name("tf.zeros"), (lift(tuple(int(d) for d in array.shape)), dtype_expr(dtype)))
    return Call(Name("tf.constant"), (nested(array, dtype), dtype_expr(dtype)))
