"""Text that is one of some known words: which of them is a number, and all that a model asks of the words is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.importers.partial.values import Ref, known, objects
from converter.importers.tensorflow.handles import Compound, Dress, Strings
from ir.core import Builder
from ir.types import dtypes


@dataclass(frozen=True, eq=False)
class Text(Compound):
    """A tensor of text: `codes` (int64, of its shape) says which of the `words` each element is."""

    codes: Ref
    words: tuple[bytes, ...]

    what = "text"

    def parts(self) -> list[Ref]:
        return [self.codes]

    def with_parts(self, parts: Sequence[Ref]) -> Text:
        return Text(parts[0], self.words)

    def shape_key(self) -> tuple[bytes, ...]:
        return self.words


@dataclass(frozen=True, eq=False)
class Decimals(Compound):
    """Integers written as text, in decimal digits."""

    ref: Ref

    what = "text"

    def parts(self) -> list[Ref]:
        return [self.ref]

    def with_parts(self, parts: Sequence[Ref]) -> Decimals:
        return Decimals(parts[0])

    def shape_key(self) -> str:
        return "decimals"


_MOVES = frozenset(
    ("Reshape", "ExpandDims", "Squeeze", "ConcatV2", "Slice", "StridedSlice", "GatherV2", "GatherNd", "Split", "SplitV", "Pack",
     "Unpack", "Tile", "Fill", "StopGradient", "Transpose", "BroadcastTo", "ReverseV2", "Select", "SelectV2", "EnsureShape")
)  # fmt: skip
"""Ops that take elements as they are, whatever they stand for, and make none of their own."""
_ASKS = frozenset(("Shape", "ShapeN", "Size", "Rank", "Equal", "NotEqual"))
"""Ops whose results are no text, and the same of the numbers of words as of the words."""


def as_text(found: Any) -> Text | None:
    """Text that the graph holds, or one of known words; None for anything else."""
    if isinstance(found, Strings):
        flat = [bytes(word) for word in found.content.reshape(-1)]
        words = tuple(dict.fromkeys(flat))
        places = np.array([words.index(word) for word in flat], np.int64).reshape(found.content.shape)
        return Text(known(dtypes.int64, objects(places)), words)
    return found if isinstance(found, Text) else None


def opened(op: str, inputs: Sequence[Any], b: Builder, value: Callable[[Ref], Any]) -> tuple[list[Any], Dress | None]:
    """Operands of an op that only moves or compares elements, with numbers instead of text, and what its results stand for
    (None: for themselves). All others are left as they are, text included."""
    if op not in _MOVES | _ASKS or not any(isinstance(i, (Strings, Text, Decimals)) for i in inputs):
        return list(inputs), None
    decimals = [i for i in inputs if isinstance(i, Decimals)]
    texts = {k: t for k, i in enumerate(inputs) if (t := as_text(i)) is not None}
    if decimals and texts:
        return list(inputs), None
    if decimals:
        plain = [i.ref if isinstance(i, Decimals) else i for i in inputs]
        return plain, None if op in _ASKS else Decimals
    words = tuple(dict.fromkeys(word for t in texts.values() for word in t.words))
    plain = [_recoded(texts[k], words, b, value) if k in texts else i for k, i in enumerate(inputs)]
    return plain, None if op in _ASKS else lambda ref: Text(ref, words)


def _recoded(text: Text, words: tuple[bytes, ...], b: Builder, value: Callable[[Ref], Any]) -> Ref:
    """The numbers of a text's elements among more words."""
    places = np.array([words.index(word) for word in text.words], np.int64)
    if (places == np.arange(len(places))).all():
        return text.codes
    content = text.codes.concrete()
    if content is not None:
        return known(dtypes.int64, objects(places[content]))
    found = b.gather(b.constant(places), value(text.codes), axis=0, bounds="unchecked", neg="invalid")
    return Ref(found.type, found)
