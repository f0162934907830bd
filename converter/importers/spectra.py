"""Transforms of a length of their own, and back to real numbers, of frequencies of which the mirrored half is left out."""

from __future__ import annotations

from converter.importers.base import Context
from ir.core import Builder, Value
from ir.types import Dim, same


def fitted(c: Context, value: Value, axis: int, size: Dim) -> Value:
    """An axis cut, or filled with zeros, to a size."""
    have = value.type.shape[axis]
    if same(have, size):
        return value
    if not isinstance(have, int) or not isinstance(size, int):
        c.refuse(
            "a transform of a length of its own over an axis of open size", "fix the size, or leave fft_length out"
        )
    if have > size:
        return c.b.slice(value, axes=(axis,), starts=(None,), stops=(size,), steps=(1,))
    pads = tuple((0, size - have) if i == axis else (0, 0) for i in range(value.type.rank))
    return c.b.pad(value, pads=pads, value=0)


def inverse_real(b: Builder, value: Value, size: int, axis: int) -> Value:
    """The inverse transform of size // 2 + 1 complex frequencies along an axis, whose other half mirrors them."""
    rest = (size - 1) // 2
    if rest:
        tail = b.slice(value, axes=(axis,), starts=(1,), stops=(1 + rest,), steps=(1,))
        value = b.concat([value, b.conj(b.flip(tail, axes=(axis,)))], axis=axis)
    result: Value = b.real(b.fft(value, axes=(axis,), inverse=True, norm="count"))
    return result
