"""4-bit integers as files and runtimes store them: two a byte, the first in the low half, an odd last byte filled with 0."""

from __future__ import annotations

import numpy as np

from ir.types import DType


def pack_nibbles(array: np.ndarray) -> np.ndarray:
    """The elements of an int4 or uint4 array in C order, as a flat uint8 array of half the length, rounded up."""
    nibbles = array.reshape(-1).astype(np.int8).view(np.uint8) & 0xF
    nibbles = np.append(nibbles, np.zeros(nibbles.size % 2, np.uint8))
    return nibbles[0::2] | (nibbles[1::2] << 4)


def unpack_nibbles(raw: np.ndarray, kind: DType, count: int) -> np.ndarray:
    """The first `count` elements of packed bytes (a flat uint8 array), as a flat array of int4 or uint4."""
    nibbles = np.stack([raw & 0xF, raw >> 4], axis=-1).reshape(-1)[:count].astype(np.int8)
    signed = np.where(nibbles > 7, nibbles - 16, nibbles) if kind.name == "int4" else nibbles
    return signed.astype(kind.numpy)
