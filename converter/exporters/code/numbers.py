"""Constants as Python numbers: exact in their own dtype."""

from __future__ import annotations

import math

import numpy as np

from converter.exporters.code.expr import Expr, Lit, Lst
from ir.types import DType

_LARGEST = float(np.finfo(np.float32).max)
"""The shortest decimal of this number is above it, which frameworks refuse as a float32."""


def scalar(array: np.ndarray, dtype: DType) -> bool | int | float | complex | None:
    """The Python number that, used with a tensor of `dtype`, means exactly this 0-d array; None where none does."""
    if dtype.is_bool:
        return bool(array)
    if dtype.is_integer:
        return int(array)
    if dtype.is_complex:
        return complex(array)
    if dtype.name == "float32":
        value = float(array)
        short = float(str(np.float32(array))) if math.isfinite(value) else value
        return short if np.float32(short) == np.float32(array) and abs(short) <= _LARGEST or value != value else value
    return float(array)


def nested(array: np.ndarray, dtype: DType) -> Expr:
    """An array as a number, or as lists of numbers."""
    if array.ndim == 0:
        return Lit(scalar(array, dtype))
    return Lst(tuple(nested(part, dtype) for part in array))
