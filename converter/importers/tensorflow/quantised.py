"""Tensors of TensorFlow's quantised types: integers that only ops written for them take as such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.importers.partial.values import Ref
from converter.importers.tensorflow.handles import Compound, Dress
from ir.types import DType, dtypes

KINDS: dict[str, DType] = {
    "qint8": dtypes.int8, "quint8": dtypes.uint8, "qint16": dtypes.int16, "quint16": dtypes.uint16, "qint32": dtypes.int32,
}  # fmt: skip
"""The integers that a quantised type holds."""


@dataclass(frozen=True, eq=False)
class Quantised(Compound):
    """The integers of a tensor of a quantised type. What they stand for is in other tensors, so that most ops refuse them."""

    kind: str
    ref: Ref

    @property
    def what(self) -> str:  # type: ignore[override]
        return f"tensor of {self.kind}"

    def parts(self) -> list[Ref]:
        return [self.ref]

    def with_parts(self, parts: Sequence[Ref]) -> Quantised:
        return Quantised(self.kind, parts[0])

    def shape_key(self) -> str:
        return self.kind


def unpacked(array: np.ndarray) -> tuple[str, np.ndarray] | None:
    """The quantised type and the integers of what TensorFlow gives as an array of it; None for other arrays."""
    names = array.dtype.names
    return (names[0], np.ascontiguousarray(array[names[0]])) if names and names[0] in KINDS else None


_MOVES = frozenset(
    ("Reshape", "ExpandDims", "Squeeze", "Concat", "ConcatV2", "Slice", "StridedSlice", "Gather", "GatherV2", "Pad", "PadV2",
     "Split", "SplitV", "Pack", "Tile", "StopGradient", "DeepCopy", "Fill", "Transpose", "BroadcastTo", "ReverseV2")
)  # fmt: skip
_SIZES = frozenset(("Shape", "ShapeN", "Size", "Rank"))


def opened(op: str, inputs: Sequence[Any]) -> tuple[list[Any], Dress | None]:
    """Operands of an op that only moves elements, or counts them, as plain integers, and what its results stand for (None:
    for themselves)."""
    kinds = {i.kind for i in inputs if isinstance(i, Quantised)}
    if len(kinds) != 1 or op not in _MOVES | _SIZES:
        return list(inputs), None
    kind = kinds.pop()
    plain = [i.ref if isinstance(i, Quantised) else i for i in inputs]
    return plain, None if op in _SIZES else lambda ref: Quantised(kind, ref)
