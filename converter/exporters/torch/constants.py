"""Constants as source text: exact in their own dtype."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from converter.exporters.code.expr import Call, Expr, Lit, Lst, Name, lift
from ir.types import DType

_LARGEST = float(np.finfo(np.float32).max)
"""The shortest decimal of this number is above it, which torch refuses as a float32."""


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


def torch_dtype(dtype: DType) -> Expr:
    """`torch.float32`."""
    return Name(f"torch.{'bool' if dtype.is_bool else dtype.name}")


def tensor_literal(array: np.ndarray, dtype: DType) -> Expr:
    """`torch.tensor([...], dtype=...)`; the dtype is left out where torch would choose it."""
    if array.size == 0:
        return Call(Name("torch.empty"), tuple(lift(int(d)) for d in array.shape), (("dtype", torch_dtype(dtype)),))
    values = _nested(array, dtype)
    implied = dtype.name in ("float32", "int64", "bool")
    return Call(Name("torch.tensor"), (values,), () if implied else (("dtype", torch_dtype(dtype)),))


def _nested(array: np.ndarray, dtype: DType) -> Expr:
    if array.ndim == 0:
        number: Any = scalar(array, dtype)
        return Lit(number)
    return Lst(tuple(_nested(part, dtype) for part in array))
