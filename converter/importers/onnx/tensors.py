"""TensorProto in every storage form to `Data`, sizes checked against the bytes present before anything is allocated."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from converter.errors import UsageError
from converter.importers.base import Refusal
from converter.importers.onnx.wire import Payload
from ir.data import Array, Data, Lazy, Mapped
from ir.data.nibbles import unpack_nibbles
from ir.types import DType, TensorType, dtype

if TYPE_CHECKING:
    import onnx

ELEMENT_TYPES: dict[int, str] = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64",
    12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16", 17: "float8_e4m3fn", 18: "float8_e4m3fnuz",
    19: "float8_e5m2", 20: "float8_e5m2fnuz", 21: "uint4", 22: "int4",
}  # fmt: skip
"""TensorProto.DataType -> IR dtype. Strings and the 2- and 6-bit kinds have none."""

_FIELD: dict[str, str] = {
    "float32": "float_data", "complex64": "float_data", "float64": "double_data", "complex128": "double_data",
    "int64": "int64_data", "uint32": "uint64_data", "uint64": "uint64_data",
}  # fmt: skip
_FIELDS = ("float_data", "double_data", "int32_data", "int64_data", "uint64_data", "string_data")
MAX_RANK = 64
DENSE_LIMIT = 2**28
"""Elements up to which a sparse tensor is densified: a few bytes of file must not ask for all memory."""


def element_type(code: int) -> DType:
    """The IR dtype of a TensorProto.DataType; raises Refusal for one the IR does not have."""
    import onnx

    if code not in ELEMENT_TYPES:
        known = {v: k for k, v in onnx.TensorProto.DataType.items()}
        raise Refusal(f"element type {known.get(code, code)} has no counterpart")
    return dtype(ELEMENT_TYPES[code])


def read_tensor(
    proto: onnx.TensorProto, folder: Path | None, name: str = "", payload: Payload | None = None
) -> Data:
    """The tensor's bytes, mapped when they lie in another file. `payload` is where its `raw_data` was left.

    `folder` is where external data must lie. Raises UsageError when the sizes declared and the bytes present differ, or
    a file is missing or lies elsewhere; Refusal for element types without a counterpart.
    """
    import onnx

    label = f"tensor {name or proto.name or '(unnamed)'!r}"
    kind = element_type(proto.data_type)
    shape = _checked_shape(proto.dims, label)
    if proto.HasField("segment"):
        raise Refusal(f"{label} is stored in segments")
    if proto.data_location == onnx.TensorProto.EXTERNAL:
        return _external(proto, TensorType(kind, shape), folder, label)
    filled = [f for f in _FIELDS if len(getattr(proto, f))]
    if len(filled) + proto.HasField("raw_data") > 1:
        raise UsageError(f"{label} stores its data twice: {', '.join([*filled, 'raw_data'][:2])}")
    if payload is not None:
        return _left_out(payload, TensorType(kind, shape), label)
    if proto.HasField("raw_data"):
        raw = np.frombuffer(proto.raw_data, np.uint8)
        return Array(_from_bytes(raw, TensorType(kind, shape), label))
    return Array(_from_field(proto, kind, shape, label))


def _left_out(payload: Payload, type: TensorType, label: str) -> Data:
    """Bytes inside the model's own file."""
    kind = type.dtype
    _check_length(payload.length, type, label)
    plain = kind.bits != 4 and not kind.is_bool
    if plain and isinstance(payload.place, Path) and payload.offset % kind.numpy.itemsize == 0:
        return Mapped(payload.place, payload.offset, type)
    return Lazy(lambda: _from_bytes(payload.read(), type, label), type)


def _checked_shape(dims: object, label: str) -> tuple[int, ...]:
    shape = tuple(int(d) for d in dims)  # type: ignore[attr-defined]
    if any(d < 0 for d in shape) or len(shape) > MAX_RANK:
        raise UsageError(f"{label} has the impossible shape {list(shape)}")
    return shape


def _stored_bytes(kind: DType, count: int) -> int:
    return (count + 1) // 2 if kind.bits == 4 else count * kind.numpy.itemsize


def _check_length(length: int, type: TensorType, label: str) -> None:
    expected = _stored_bytes(type.dtype, math.prod(int(d) for d in type.shape))
    if length != expected:
        raise UsageError(
            f"{label} is declared {type}, {expected} bytes, but {length} bytes are there: the file is truncated or damaged"
        )


def _from_bytes(raw: np.ndarray, type: TensorType, label: str) -> np.ndarray:
    kind, shape = type.dtype, tuple(int(d) for d in type.shape)
    count = math.prod(shape)
    _check_length(len(raw), type, label)
    if kind.bits == 4:
        return unpack_nibbles(raw, kind, count).reshape(shape)
    if kind.is_bool:
        return (raw != 0).reshape(shape)
    return raw.view(kind.numpy.newbyteorder("<")).astype(kind.numpy, copy=False).reshape(shape)


def _from_field(proto: onnx.TensorProto, kind: DType, shape: tuple[int, ...], label: str) -> np.ndarray:
    """Typed fields: half floats, bool and narrow integers each take one int32_data entry, 4-bit ones half an entry."""
    field, count = _FIELD.get(kind.name, "int32_data"), math.prod(shape)
    values = getattr(proto, field)
    expected = (count + 1) // 2 if kind.bits == 4 else count * (2 if kind.is_complex else 1)
    if len(values) != expected:
        raise UsageError(
            f"{label} is declared {TensorType(kind, shape)}, {expected} entries of {field}, but {len(values)} are there"
        )
    if field == "int32_data" and kind.name != "int32":
        return _from_int32(np.array(values, np.int32), kind, count).reshape(shape)
    if kind.is_complex:
        return np.array(values, kind.real.numpy).view(kind.numpy).reshape(shape)
    return np.array(values, kind.numpy).reshape(shape)


def _from_int32(values: np.ndarray, kind: DType, count: int) -> np.ndarray:
    if kind.bits == 4:
        return unpack_nibbles(values.astype(np.uint8), kind, count)
    if kind.is_bool:
        return values != 0
    if kind.is_float:
        return values.astype(np.uint16 if kind.bits == 16 else np.uint8).view(kind.numpy)
    return values.astype(kind.numpy)


# -- external data ----------------------------------------------------------------------------------------------------
def _external(proto: onnx.TensorProto, type: TensorType, folder: Path | None, label: str) -> Data:
    entries = {e.key: e.value for e in proto.external_data}
    path = _external_path(entries.get("location", ""), folder, label)
    expected = _stored_bytes(type.dtype, math.prod(int(d) for d in type.shape))
    offset = _number(entries, "offset", 0, label)
    length = _number(entries, "length", expected, label)
    size = path.stat().st_size
    if length != expected:
        raise UsageError(f"{label} is declared {type}, {expected} bytes, but its external data is {length} bytes long")
    if offset + length > size:
        raise UsageError(
            f"{label} needs bytes {offset} to {offset + length} of {path}, which has {size}: it is truncated"
        )
    if type.dtype.bits == 4 or type.dtype.is_bool:
        return Lazy(lambda: _from_bytes(_read(path, offset, length), type, label), type)
    return Mapped(path, offset, type)


def _read(path: Path, offset: int, length: int) -> np.ndarray:
    return np.fromfile(path, np.uint8, length, offset=offset)


def _number(entries: dict[str, str], key: str, default: int, label: str) -> int:
    text = entries.get(key, "")
    if not text:
        return default
    if not text.isdecimal():
        raise UsageError(f"{label}: {key} {text!r} of its external data is no size")
    return int(text)


def _external_path(location: str, folder: Path | None, label: str) -> Path:
    """The file of external data. It must lie in the model's own folder, links followed."""
    if folder is None:
        raise UsageError(
            f"{label} lies in the external file {location!r}; give the path of the .onnx file instead of its content"
        )
    root = folder.resolve()
    path = (root / location).resolve()
    if not location or not path.is_relative_to(root) or path == root:
        raise UsageError(
            f"{label} lies in the external file {location!r}, outside the folder of the model; copy it there"
        )
    if not path.is_file():
        raise UsageError(f"{label} lies in the external file {path}, which does not exist")
    return path


# -- sparse -------------------------------------------------------------------------------------------------------------
def read_sparse(proto: onnx.SparseTensorProto, folder: Path | None, name: str = "") -> Data:
    """A sparse tensor as a dense one, made when read. Raises UsageError on indices outside its shape."""
    label = f"sparse tensor {name or proto.values.name!r}"
    shape = _checked_shape(proto.dims, label)
    count = math.prod(shape)
    if count > DENSE_LIMIT:
        raise UsageError(f"{label} has {count} elements when dense, more than {DENSE_LIMIT}")
    values = read_tensor(proto.values, folder, f"{label} values").numpy()
    indices = read_tensor(proto.indices, folder, f"{label} indices").numpy().astype(np.int64)
    if values.ndim != 1 or indices.shape not in ((len(values),), (len(values), len(shape))):
        raise UsageError(
            f"{label}: {list(values.shape)} values and {list(indices.shape)} indices do not fit {list(shape)}"
        )
    flat = _flat_positions(indices, shape, count, label)

    def dense() -> np.ndarray:
        out = np.zeros(count, values.dtype)
        out[flat] = values
        return out.reshape(shape)

    return Lazy(dense, TensorType(dtype(values.dtype), shape))


def _flat_positions(indices: np.ndarray, shape: tuple[int, ...], count: int, label: str) -> np.ndarray:
    limits = np.array(shape if indices.ndim == 2 else count, np.int64)
    if np.any(indices < 0) or np.any(indices >= limits):
        raise UsageError(f"{label} has an index outside {list(shape)}")
    flat = (
        np.ravel_multi_index(tuple(indices.T), shape)
        if indices.ndim == 2 and len(indices)
        else indices.reshape(-1)[: len(indices)]
    )
    if len(np.unique(flat)) != len(flat):
        raise UsageError(f"{label} names one position twice")
    return np.asarray(flat, np.int64)
