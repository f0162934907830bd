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


def window_table(sizes: Sequence[int], places: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Positions in row-major order [windows, width] and which of them are no padding; in its place stands the window's
    first element."""
    count = len(places)
    flat, valid = np.zeros((), np.int64), np.ones((), np.bool_)
    for i, (size, own) in enumerate(zip(sizes, places, strict=True)):
        form = [1] * (2 * count)
        form[i], form[count + i] = own.shape
        flat = flat * size + own.reshape(form)
        valid = valid & (own >= 0).reshape(form)
    width = int(np.prod(flat.shape[count:]))
    cell, inside = flat.reshape(-1, width), valid.reshape(-1, width)
    first = np.where(inside, cell, np.iinfo(np.int64).max).min(axis=1, keepdims=True)  # of windows of -inf alone
    return np.where(inside, cell, first), inside


def largest_positions(b: Any, x: Any, places: Sequence[np.ndarray]) -> Any:
    """Positions in row-major order over the spatial axes of x [batch, channels, *sizes] of each window's largest
    element, the first of equals. Only the spatial sizes need be known."""
    sizes = [int(d) for d in x.type.shape[2:]]
    lead = x.type.shape[:2]
    table, inside = window_table(sizes, places)
    rows = b.gather(b.reshape(x, shape=(*lead, int(np.prod(sizes)))), b.constant(table, dtypes.int64), axis=2)
    if not inside.all():
        lowest = -np.inf if x.type.dtype.is_float else int(x.type.dtype.min)
        rows = b.where(b.constant(inside), rows, b.constant(np.array(lowest), x.type.dtype))
    best = b.argmax(rows, axis=3, keepdims=True)
    tables = b.expand(b.constant(table, dtypes.int64), shape=(*lead, *table.shape))
    return b.reshape(b.gather_elements(tables, best, axis=3), shape=(*lead, *(len(p) for p in places)))
