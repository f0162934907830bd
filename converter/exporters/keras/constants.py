"""Constants as source text: exact in their own dtype."""

from __future__ import annotations

import numpy as np

from converter.exporters.code.expr import Call, Expr, Name, lift
from converter.exporters.code.numbers import nested
from ir.types import DType

INLINE_ELEMENTS = 64
"""Constants of at most so many elements stand in the source."""


def dtype_name(dtype: DType) -> str:
    """A dtype as Keras calls it."""
    return "bool" if dtype.is_bool else dtype.name


def tensor_literal(array: np.ndarray, dtype: DType) -> Expr:
    """`ops.convert_to_tensor([...], dtype="float32")`."""
    kind = (("dtype", lift(dtype_name(dtype))),)
    if array.size == 0:
        return Call(Name("ops.zeros"), (lift(tuple(int(d) for d in array.shape)),), kind)
    return Call(Name("ops.convert_to_tensor"), (nested(array, dtype),), kind)
