"""PyTorch's element types and tensors in the IR's terms."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.base import Refusal
from ir.types import DType, dtypes

_NAMES = {
    "bool": "bool", "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "uint64": "uint64", "int8": "int8",
    "int16": "int16", "int32": "int32", "int64": "int64", "float16": "float16", "bfloat16": "bfloat16",
    "float32": "float32", "float64": "float64", "complex64": "complex64", "complex128": "complex128",
    "float8_e4m3fn": "float8_e4m3fn", "float8_e5m2": "float8_e5m2", "float8_e4m3fnuz": "float8_e4m3fnuz",
    "float8_e5m2fnuz": "float8_e5m2fnuz",
}  # fmt: skip
_CARRIER = {1: "uint8", 2: "int16"}  # dtypes NumPy lacks cross as integers of their width


def ir_dtype(kind: Any) -> DType:
    """The IR dtype of a `torch.dtype`; raises Refusal where there is none (quantised and packed types)."""
    name = str(kind).removeprefix("torch.")
    if name not in _NAMES:
        raise Refusal(f"element type {kind} has no counterpart in the IR")
    return dtypes.dtype(_NAMES[name])


def torch_dtype(kind: DType) -> Any:
    """The `torch.dtype` of an IR dtype."""
    import torch

    return getattr(torch, kind.name)


def to_numpy(tensor: Any) -> np.ndarray:
    """A tensor's values; shares memory with CPU tensors where it can. Read-only."""
    import torch

    kind = ir_dtype(tensor.dtype)
    plain = tensor.detach().resolve_conj().resolve_neg().cpu()
    if kind.numpy.kind == "V" or not hasattr(np, kind.name):
        carrier = getattr(torch, _CARRIER[kind.bits // 8])
        array = plain.contiguous().view(carrier).numpy().view(kind.numpy)
    else:
        array = plain.numpy()
    array = array.view()
    array.setflags(write=False)
    return array


def from_numpy(array: np.ndarray) -> Any:
    """A tensor with the values of an array (a copy); ml_dtypes floats included."""
    import torch

    array = np.array(array, order="C")  # keeps rank 0, owns its memory
    kind = dtypes.dtype(array.dtype)
    if hasattr(np, kind.name) or kind.is_bool:
        return torch.from_numpy(array)
    carrier = np.dtype(_CARRIER[kind.bits // 8])
    return torch.from_numpy(array.view(carrier)).view(torch_dtype(kind))
