"""Where the largest element of a pooling window lies, made of a table of the windows' elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ir.ops.axes import Pairs
from ir.types import dtypes


def window_places(
    in_sizes: Sequence[int], sizes: Sequence[int], window: Sequence[int], strides: Sequence[int], dilations: Sequence[int],
    pads: Pairs,
) -> list[np.ndarray]:  # fmt: skip
    """For each axis the positions [windows, width] that windows cover, -1 where that is padding."""
    found = []
    for size, n, w, s, d, (before, _) in zip(in_sizes, sizes, window, strides, dilations, pads, strict=True):
        places = np.arange(n)[:, None] * s + np.arange(w) * d - before
        found.append(np.where((places >= 0) & (places < size), places, -1))
    return found


def window_starts(
    sizes: Sequence[int], strides: Sequence[int], dilations: Sequence[int], pads: Pairs
) -> list[np.ndarray]:
    """For each axis where the search of a window begins [windows]: its first place that is not before the input."""
    found = []
    for n, s, d, (before, _) in zip(sizes, strides, dilations, pads, strict=True):
        first = np.arange(n) * s - before
        found.append(np.maximum(first, first % d))
    return found


def window_table(
    sizes: Sequence[int], places: Sequence[np.ndarray], starts: Sequence[np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Positions in row-major order [windows, width] and which of them are no padding; in its place stands the window's
    first element, which changes neither the largest value nor where it is first found, and in windows of padding alone
    the position of their `starts`, where the input may have no element."""
    flat, valid = _in_order(sizes, places)
    width = int(np.prod(flat.shape[len(places) :]))
    cell, inside = flat.reshape(-1, width), valid.reshape(-1, width)
    first = np.where(inside, cell, np.iinfo(np.int64).max).min(axis=1, keepdims=True)
    if starts is not None:
        columns = [own[:, None] for own in starts]
        first = np.where(inside.any(1, keepdims=True), first, _in_order(sizes, columns)[0].ravel()[:, None])
    return np.where(inside, cell, first), inside


def _in_order(sizes: Sequence[int], places: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Row-major positions [*windows, *width] of places along each axis, and which are no padding."""
    count = len(places)
    flat, valid = np.zeros((), np.int64), np.ones((), np.bool_)
    for i, (size, own) in enumerate(zip(sizes, places, strict=True)):
        form = [1] * (2 * count)
        form[i], form[count + i] = own.shape
        flat = flat * size + own.reshape(form)
        valid = valid & (own >= 0).reshape(form)
    return flat, valid


def largest_positions(b: Any, x: Any, places: Sequence[np.ndarray], starts: Sequence[np.ndarray] | None = None) -> Any:
    """Positions in row-major order over the spatial axes of x [batch, channels, *sizes] of each window's largest
    element, the first of equals. Only the spatial sizes need be known."""
    sizes = [int(d) for d in x.type.shape[2:]]
    lead = x.type.shape[:2]
    table, _ = window_table(sizes, places, starts)
    lost = table >= int(np.prod(sizes))
    read = b.constant(np.where(lost, 0, table), dtypes.int64)
    rows = b.gather(b.reshape(x, shape=(*lead, int(np.prod(sizes)))), read, axis=2)
    best = b.argmax(rows, axis=3, keepdims=True)
    tables = b.expand(b.constant(table, dtypes.int64), shape=(*lead, *table.shape))
    return b.reshape(b.gather_elements(tables, best, axis=3), shape=(*lead, *(len(p) for p in places)))
