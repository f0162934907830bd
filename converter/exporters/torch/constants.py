"""Constants as source text: exact in their own dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.exporters.code.expr import Call, Expr, Lit, Lst, Name, lift
from converter.exporters.code.numbers import scalar
from ir.types import DType


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
