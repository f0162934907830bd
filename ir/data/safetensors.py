"""Reading and writing safetensors files: lazily mapped in, streamed out one tensor at a time.

Format: an unsigned little-endian 64-bit length, that many bytes of JSON naming each tensor's dtype, shape and byte
range, then the bytes (https://huggingface.co/docs/safetensors). The header is checked before anything is mapped.

Dtypes without a code of their own travel as bytes of another one, named in the header's `__metadata__`: 4-bit integers
two to a byte (first element in the low half) as `U8[ceil(n / 2)]`, complex128 as `F64[..., 2]`, and the FNUZ floats as
`U8`. complex64 is `C64`.
"""

from __future__ import annotations

import json
import math
import os
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from ir.data.nibbles import pack_nibbles, unpack_nibbles
from ir.data.weights import Data, Lazy, Mapped
from ir.types import DType, TensorType, dtypes

MAX_HEADER = 100_000_000  # the reference implementation's bound
_CHUNK = 1 << 24  # bytes written at a time
_DTYPE_KEY = "isomorph.dtype:"  # __metadata__ key prefix: the real type of a tensor stored as another

_CODES: dict[str, DType] = {
    "BOOL": dtypes.bool_, "I8": dtypes.int8, "I16": dtypes.int16, "I32": dtypes.int32, "I64": dtypes.int64,
    "U8": dtypes.uint8, "U16": dtypes.uint16, "U32": dtypes.uint32, "U64": dtypes.uint64, "F16": dtypes.float16,
    "BF16": dtypes.bfloat16, "F32": dtypes.float32, "F64": dtypes.float64, "F8_E4M3": dtypes.float8_e4m3fn,
    "F8_E5M2": dtypes.float8_e5m2, "C64": dtypes.complex64,
}  # fmt: skip
_CODE_OF = {d: code for code, d in _CODES.items()}


# -- reading --------------------------------------------------------------------------------------------------------
def read(path: str | Path) -> tuple[dict[str, Data], dict[str, str]]:
    """The tensors of a file by name, mapped, and its `__metadata__`.

    Raises ValueError, naming the file, on anything that is not exactly a safetensors file: a header too long or not
    JSON, an unknown dtype, a negative size, byte ranges outside the file, of the wrong length, overlapping or with
    gaps. Raises OSError where the file cannot be read.
    """
    file = Path(path)
    try:
        header, start, size = _header(file)
        metadata = _metadata(header.pop("__metadata__", {}))
        ranges = {name: _entry(name, entry) for name, entry in header.items()}
        _check_ranges(ranges, size - start)
        found: dict[str, Data] = {}
        for name, (stored, low, _) in ranges.items():
            found[name] = _restore(Mapped(file, start + low, stored), metadata.pop(_DTYPE_KEY + name, ""))
        if any(key.startswith(_DTYPE_KEY) for key in metadata):
            raise ValueError("a type is given for a tensor that is not there")
    except ValueError as error:
        raise ValueError(f"{file.name} is not a sound safetensors file: {error}") from None
    return found, metadata


def _header(file: Path) -> tuple[dict[str, Any], int, int]:
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        prefix = stream.read(8)
        if len(prefix) < 8:
            raise ValueError("it is shorter than a header")
        (length,) = struct.unpack("<Q", prefix)
        if length > min(MAX_HEADER, size - 8):
            raise ValueError(f"its header of {length} bytes does not fit")
        raw = stream.read(length)
    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"its header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    return header, 8 + length, size


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key repeats in its header")
    return out


def _metadata(found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise ValueError("__metadata__ does not map names to strings")
    return dict(found)


def _entry(name: str, entry: Any) -> tuple[TensorType, int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry of {name!r} has not the three fields")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in _CODES:
        raise ValueError(f"{name!r} has the unknown dtype {code!r}")
    if not (_sizes(shape) and _sizes(offsets) and len(offsets) == 2 and len(shape) <= 64):
        raise ValueError(f"the shape or range of {name!r} is not a list of sizes")
    low, high = offsets
    count = 1
    for n in shape:
        count *= n  # Python integers: no overflow
    if high - low != count * _CODES[code].numpy.itemsize:
        raise ValueError(f"the range of {name!r} does not hold {code} of shape {shape}")
    return TensorType(_CODES[code], tuple(shape)), low, high


def _sizes(items: Any) -> bool:
    return isinstance(items, list) and all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in items)


def _check_ranges(ranges: Mapping[str, tuple[TensorType, int, int]], total: int) -> None:
    end = 0
    for name, (_, low, high) in sorted(ranges.items(), key=lambda item: item[1][1:]):
        if low != end:
            raise ValueError(f"the range of {name!r} {'overlaps another' if low < end else 'leaves a gap'}")
        end = high
    if end != total:
        raise ValueError(f"its tensors take {end} bytes, it holds {total}")


def _restore(stored: Mapped, spec: str) -> Data:
    """The tensor behind bytes stored as another type; `spec` is its type (`int4[3, 5]`), empty for itself."""
    if not spec:
        return stored
    t = _parse_type(spec)
    if _stored_type(t) != stored.type:
        raise ValueError(f"a tensor of type {spec} is stored as {stored.type}")
    if t.dtype.bits == 4:
        shape = tuple(int(d) for d in t.shape)
        return Lazy(lambda: unpack_nibbles(stored.numpy(), t.dtype, math.prod(shape)).reshape(shape), t)
    return Mapped(stored.path, stored.offset, t)


def _parse_type(spec: str) -> TensorType:
    name, _, rest = spec.partition("[")
    sizes = [s.strip() for s in rest.removesuffix("]").split(",")] if rest != "]" else []
    if not rest.endswith("]") or not all(s.isdigit() for s in sizes):
        raise ValueError(f"{spec!r} is not a type")
    try:
        return TensorType(dtypes.dtype(name), tuple(int(s) for s in sizes))
    except TypeError:
        raise ValueError(f"{spec!r} is not a type") from None


# -- writing --------------------------------------------------------------------------------------------------------
def write(path: str | Path, tensors: Mapping[str, Data], metadata: Mapping[str, str] | None = None) -> None:
    """Write a file, whole or not at all; one tensor is in memory at a time.

    Raises ValueError for a symbolic shape, a reserved name, or data that is not of its declared type.
    """
    target = Path(path)
    header, extra = _plan(tensors), dict(metadata or {})
    extra.update({_DTYPE_KEY + n: str(d.type) for n, d in tensors.items() if d.type.dtype not in _CODE_OF})
    raw = json.dumps({"__metadata__": extra, **header} if extra else header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)  # so that the first tensor is aligned
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(struct.pack("<Q", len(raw)) + raw)
            for name in header:
                _write_bytes(stream, name, tensors[name])
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    finally:  # a no-op once the file has its name
        Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _plan(tensors: Mapping[str, Data]) -> dict[str, dict[str, Any]]:
    """The header: wider elements first, so that each tensor is aligned to its own element size."""
    header: dict[str, dict[str, Any]] = {}
    position = 0
    for name in sorted(tensors, key=lambda n: (-_stored_type(tensors[n].type).dtype.numpy.itemsize, n)):
        if name == "__metadata__":
            raise ValueError("a tensor cannot be called __metadata__")
        stored = _stored_type(tensors[name].type)
        size = stored.dtype.numpy.itemsize * int(np.prod([int(d) for d in stored.shape], dtype=object))
        code = _CODE_OF[stored.dtype]
        header[name] = {"dtype": code, "shape": list(stored.shape), "data_offsets": [position, position + size]}
        position += size
    return header


def _stored_type(t: TensorType) -> TensorType:
    """The type under which a tensor's bytes lie in the file."""
    if not t.is_static:
        raise ValueError(f"a tensor of symbolic shape {t} has no bytes")
    if t.dtype in _CODE_OF:
        return t
    if t.dtype.bits == 4:
        count = 1
        for d in t.shape:
            count *= int(d)
        return TensorType(dtypes.uint8, ((count + 1) // 2,))
    if t.dtype == dtypes.complex128:
        return TensorType(dtypes.float64, (*t.shape, 2))
    return t.with_dtype(dtypes.uint8)  # the one-byte floats without a code


def _write_bytes(stream: IO[bytes], name: str, data: Data) -> None:
    array = np.asarray(data.numpy(), order="C")
    if array.dtype != data.type.dtype.numpy or array.shape != tuple(data.type.shape):
        raise ValueError(f"tensor {name!r} is declared {data.type}, its data is {array.dtype}{list(array.shape)}")
    if data.type.dtype.bits == 4:
        array = pack_nibbles(array)
    flat = array.reshape(-1).view(np.uint8)
    for i in range(0, flat.size, _CHUNK):
        stream.write(flat[i : i + _CHUNK].data)
