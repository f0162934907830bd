"""Input specs as text: `float32[batch,3,224,224]`, a named size being dynamic."""

from __future__ import annotations

import re
from dataclasses import dataclass

from converter.errors import UsageError
from ir.types import DType, TensorType, dtype, symbol

_SPEC = re.compile(r"\s*(?P<dtype>\w+)\s*(?:\[(?P<dims>[^\]]*)\])?\s*")
_SHORT = {
    "float": "float32", "double": "float64", "half": "float16", "long": "int64", "int": "int32",
    "f16": "float16", "f32": "float32", "f64": "float64", "bf16": "bfloat16",
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64", "u8": "uint8",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class InputSpec:
    """Element type and dims of one input; a string dim names a dynamic size."""

    dtype: DType
    dims: tuple[int | str, ...]

    @property
    def type(self) -> TensorType:
        """As an IR type: named dims become symbols."""
        return TensorType(self.dtype, tuple(symbol(d) if isinstance(d, str) else d for d in self.dims))

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.dims))}]"


def is_spec(value: object) -> bool:
    """Whether a value is the text of an input spec."""
    return isinstance(value, str) and _SPEC.fullmatch(value) is not None


def parse_spec(text: str) -> InputSpec:
    """Read `dtype[dim,dim,...]`; raises UsageError on anything else."""
    match = _SPEC.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no input spec; write dtype[dim,dim,...], for example float32[batch,3,224,224]")
    try:
        kind = dtype(_SHORT.get(match["dtype"], match["dtype"]))
    except TypeError:
        raise UsageError(f"{text!r}: {match['dtype']!r} is no element type; for example float32, int64, bool") from None
    parts = [p.strip() for p in match["dims"].split(",")] if (match["dims"] or "").strip() else []
    return InputSpec(kind, tuple(_dim(p, text) for p in parts))


def _dim(part: str, text: str) -> int | str:
    if part.isdecimal():
        return int(part)
    if part.isidentifier():
        return part
    raise UsageError(f"{text!r}: {part!r} is neither a size nor the name of one")
