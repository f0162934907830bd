"""Element types: one frozen record per dtype, with its NumPy (or ml_dtypes) counterpart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import ml_dtypes
import numpy as np

Kind = Literal["bool", "int", "uint", "float", "complex"]


@dataclass(frozen=True, slots=True)
class DType:
    """An element type. `bits` is the logical width, which for int4/uint4 is less than the storage width."""

    name: str
    kind: Kind
    bits: int

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return self.name

    @property
    def numpy(self) -> np.dtype:
        """The NumPy dtype that stores one element (ml_dtypes for bfloat16, float8 and 4-bit integers)."""
        return _NUMPY[self.name]

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_complex(self) -> bool:
        return self.kind == "complex"

    @property
    def is_integer(self) -> bool:
        """Signed or unsigned, not bool."""
        return self.kind in ("int", "uint")

    @property
    def is_bool(self) -> bool:
        return self.kind == "bool"

    @property
    def is_half(self) -> bool:
        """A float narrower than 32 bits: kernels accumulate it in float32 and round once at the end."""
        return self.kind == "float" and self.bits < 32

    @property
    def min(self) -> int | float | bool:
        """Lowest finite value."""
        return _bound(self, "min")

    @property
    def max(self) -> int | float | bool:
        """Highest finite value."""
        return _bound(self, "max")

    def holds(self, value: bool | int | float) -> bool:
        """Whether a Python number is a value of this type; floats may round, integers and booleans must be exact."""
        if self.is_bool:
            return value in (0, 1)
        whole = isinstance(value, int) or value.is_integer()
        return not self.is_integer or (whole and self.min <= value <= self.max)

    @property
    def eps(self) -> float:
        """Distance from 1 to the next larger float (of the real part, for complex)."""
        if not (self.is_float or self.is_complex):
            return 0.0
        return float(ml_dtypes.finfo(self.numpy).eps)

    @property
    def real(self) -> DType:
        """The dtype of the real part: complex64 -> float32; any other dtype is itself."""
        return {"complex64": float32, "complex128": float64}.get(self.name, self)

    @property
    def complex(self) -> DType:
        """The complex dtype with this float as its parts; raises KeyError where there is none."""
        return {"float32": complex64, "float64": complex128, "complex64": complex64, "complex128": complex128}[
            self.name
        ]


def _bound(dtype: DType, which: str) -> int | float | bool:
    if dtype.is_bool:
        return which == "max"
    if dtype.is_integer:
        return int(getattr(ml_dtypes.iinfo(dtype.numpy), which))
    return float(getattr(ml_dtypes.finfo(dtype.real.numpy), which))


bool_ = DType("bool", "bool", 8)
int4, int8, int16, int32, int64 = (DType(f"int{n}", "int", n) for n in (4, 8, 16, 32, 64))
uint4, uint8, uint16, uint32, uint64 = (DType(f"uint{n}", "uint", n) for n in (4, 8, 16, 32, 64))
float8_e4m3fn, float8_e5m2, float8_e4m3fnuz, float8_e5m2fnuz = (
    DType(f"float8_{n}", "float", 8) for n in ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz")
)
bfloat16, float16, float32, float64 = (
    DType("bfloat16", "float", 16), DType("float16", "float", 16), DType("float32", "float", 32), DType("float64", "float", 64),
)  # fmt: skip
complex64, complex128 = DType("complex64", "complex", 64), DType("complex128", "complex", 128)

ALL: tuple[DType, ...] = (
    bool_, int4, int8, int16, int32, int64, uint4, uint8, uint16, uint32, uint64,
    float8_e4m3fn, float8_e5m2, float8_e4m3fnuz, float8_e5m2fnuz, bfloat16, float16, float32, float64, complex64, complex128,
)  # fmt: skip

_BY_NAME = {d.name: d for d in ALL}
_NUMPY: dict[str, np.dtype] = {
    d.name: np.dtype(getattr(ml_dtypes, d.name)) if hasattr(ml_dtypes, d.name) else np.dtype(d.name) for d in ALL
}
_BY_NUMPY = {n: _BY_NAME[name] for name, n in _NUMPY.items()}


def dtype(spec: DType | np.dtype | type | str) -> DType:
    """Look a dtype up by name, NumPy dtype or scalar type; raises TypeError for anything without an IR counterpart."""
    if isinstance(spec, DType):
        return spec
    if isinstance(spec, str) and spec in _BY_NAME:
        return _BY_NAME[spec]
    try:
        return _BY_NUMPY[np.dtype(spec)]
    except (TypeError, KeyError):
        raise TypeError(f"{spec!r} has no dtype in the IR; known: {', '.join(_BY_NAME)}") from None
