"""Large weights stay where they lie: an ONNX file is parsed without them, their places are kept.

Protobuf would copy every initialiser twice (into the message, and out of it as bytes). A serialised message is a
sequence of fields, so the long `raw_data` of the main graph's initialisers can be left out before parsing.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LARGE = 1 << 16
"""Initialisers of at least as many bytes are left out."""
_GRAPH, _INITIALIZER, _RAW = 7, 5, 9
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Payload:
    """The bytes of a tensor inside a file (or a buffer)."""

    place: Path | memoryview
    offset: int
    length: int

    def read(self) -> np.ndarray:
        """The bytes: a fresh array from a file, a view of a buffer."""
        if isinstance(self.place, Path):
            return np.fromfile(self.place, np.uint8, self.length, offset=self.offset)
        return np.frombuffer(self.place, np.uint8, self.length, self.offset)


Buffer = bytes | mmap.mmap


def without_weights(data: Buffer, place: Path | memoryview) -> tuple[bytes, dict[int, Payload]]:
    """A serialised model without the bytes of its large initialisers, and where those are, by position of the
    initialiser. A tensor keeps an empty `raw_data`. Raises ValueError where the bytes are no message."""
    payloads: dict[int, Payload] = {}
    graphs = [f for f in _fields(data, 0, len(data)) if f.number == _GRAPH and f.kind == _BYTES]
    if len(graphs) != 1:
        raise ValueError("a model holds one graph")
    (graph,) = graphs
    parts: list[bytes] = []
    kept, count = graph.start, 0
    for field in _fields(data, graph.start, graph.end):
        if field.number != _INITIALIZER or field.kind != _BYTES:
            continue
        raw = [f for f in _fields(data, field.start, field.end) if f.number == _RAW and f.kind == _BYTES]
        if len(raw) == 1 and raw[0].end - raw[0].start >= LARGE:
            rest = data[field.start : raw[0].head] + _key(_RAW) + _varint(0) + data[raw[0].end : field.end]
            parts += [data[kept : field.head], _key(_INITIALIZER), _varint(len(rest)), rest]
            payloads[count] = Payload(place, raw[0].start, raw[0].end - raw[0].start)
            kept = field.end
        count += 1
    body = b"".join([*parts, data[kept : graph.end]])
    return b"".join([data[: graph.head], _key(_GRAPH), _varint(len(body)), body, data[graph.end :]]), payloads


# -- the wire format ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Field:
    """A field: where its key begins, and where its value begins and ends."""

    number: int
    kind: int
    head: int
    start: int
    end: int


def _fields(data: Buffer, start: int, end: int) -> list[_Field]:
    found, at = [], start
    while at < end:
        head = at
        key, at = _read_varint(data, at, end)
        number, kind = key >> 3, key & 7
        if kind == _BYTES:
            size, at = _read_varint(data, at, end)
        elif kind == _VARINT:
            size = _read_varint(data, at, end)[1] - at
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} is not used")
        if not number or at + size > end:
            raise ValueError("a field goes beyond its message")
        found.append(_Field(number, kind, head, at, at + size))
        at += size
    return found


def _read_varint(data: Buffer, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("a number without an end")


def _key(number: int) -> bytes:
    return _varint(number << 3 | _BYTES)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
