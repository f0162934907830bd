"""Element types of ONNX and of the IR."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ir.data.nibbles import pack_nibbles
from ir.types import DType, dtypes

_SCHEMA_NAMES = {"float": dtypes.float32, "double": dtypes.float64}


@functools.cache
def onnx_type(dtype: DType) -> int:
    """The TensorProto.DataType of an IR dtype."""
    from onnx import TensorProto

    name = dtype.name.replace("float8_", "float8")
    short = {"float32": "FLOAT", "float64": "DOUBLE"}.get(name, name.upper())
    return int(getattr(TensorProto, short))


@functools.cache
def schema_dtype(text: str) -> DType | None:
    """The IR dtype of a schema's `tensor(float)`; None for what the IR has no dtype for."""
    name = text.removeprefix("tensor(").removesuffix(")")
    known = {d.name: d for d in dtypes.ALL if d.name not in ("float32", "float64")}
    return _SCHEMA_NAMES.get(name) or known.get(
        name.replace("float8e4m3", "float8_e4m3").replace("float8e5m2", "float8_e5m2")
    )


def raw_bytes(array: np.ndarray, dtype: DType) -> Any:
    """Little-endian bytes as TensorProto.raw_data has them (two 4-bit integers a byte, the first one low); a view
    of the array where that needs no copy."""
    flat = np.ascontiguousarray(array).reshape(-1)
    if dtype.bits == 4:
        flat = pack_nibbles(flat)
    if flat.dtype.byteorder == ">":
        flat = flat.astype(flat.dtype.newbyteorder("<"))
    return flat.view(np.uint8).data if flat.size else b""


def stored_bytes(dtype: DType, count: int) -> int:
    """How many bytes `raw_bytes` gives for `count` elements."""
    return (count + 1) // 2 if dtype.bits == 4 else count * dtype.numpy.itemsize
