"""Index arithmetic shared by the gather and scatter families: from indices to positions, always in int64.

`neg` comes first (`from_end` adds the size once to a negative index, `invalid` leaves it out of range), then `bounds`:
`error`, `clip` (nearest valid position), `wrap` (`i mod n`, which ignores `neg`), `fill` or `drop` (a mask of the
positions in range), `unchecked` (the caller promises indices in range; outside it the result is undefined, and here
reads clip and writes drop).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from ir.types import Dim, Shape, dim_max, require_same
from ir.types.errors import PositionError, ShapeError

Neg = Literal["from_end", "invalid"]
ReadBounds = Literal["error", "clip", "wrap", "fill", "unchecked"]
WriteBounds = Literal["error", "clip", "wrap", "drop", "unchecked"]
Bounds = Literal["error", "clip", "wrap", "fill", "drop", "unchecked"]
Resolved = tuple[np.ndarray, np.ndarray | None]
_INT64_MAX = np.iinfo(np.int64).max


def resolve(indices: np.ndarray, size: int, bounds: Bounds, neg: Neg) -> Resolved:
    """Positions in [0, size) and, under fill, drop and unchecked, which of them were in range (None: all).

    Positions out of range come back as 0 under `fill` and `drop` and clipped under `unchecked`. Raises PositionError
    under `error`, and for any index into an empty axis except under `fill` and `drop`.
    """
    if indices.size and size == 0 and bounds not in ("fill", "drop"):
        raise PositionError(f"{indices.size} indices into an axis of size 0")
    unsigned = indices.dtype == np.uint64  # whose larger values int64 cannot hold
    if bounds == "wrap":
        modulus = max(size, 1)
        return (indices % np.uint64(modulus)).astype(np.int64) if unsigned else _wide(indices) % modulus, None
    position = _wide(indices)
    if neg == "from_end":
        position = np.where(position < 0, position + size, position)
    if bounds == "clip":
        return np.clip(position, 0, size - 1), None
    ok = (position >= 0) & (position < size)
    if bounds == "error":
        if not ok.all():
            raise PositionError(f"index {indices[~ok].flat[0]} is out of range for an axis of size {size} (neg={neg})")
        return position, None
    if bounds == "unchecked":
        return np.clip(position, 0, size - 1), ok
    return np.where(ok, position, 0), ok


def _wide(indices: np.ndarray) -> np.ndarray:
    """Indices as int64; an unsigned one beyond it is out of range of any axis and stays so."""
    return np.minimum(indices, _INT64_MAX).astype(np.int64) if indices.dtype == np.uint64 else indices.astype(np.int64)


def resolve_rows(indices: np.ndarray, sizes: Sequence[int], bounds: Bounds, neg: Neg) -> Resolved:
    """As `resolve` for index vectors along the last axis: positions of the same shape, one verdict for each vector."""
    columns = [resolve(indices[..., k], n, bounds, neg) for k, n in enumerate(sizes)]
    positions = np.stack([p for p, _ in columns], -1) if columns else np.zeros(indices.shape, np.int64)
    verdicts = [ok for _, ok in columns if ok is not None]
    return positions, np.logical_and.reduce(verdicts) if verdicts else None


def flatten_rows(positions: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Row-major offsets of position vectors along the last axis, as a 1-D int64 array."""
    flat = np.zeros(positions.shape[:-1], np.int64)
    for k, n in enumerate(sizes):
        flat = flat * n + positions[..., k]
    return flat.ravel()


def check_prefix(indices: Shape, data: Shape, axis: int, op: str) -> None:
    """Raise ShapeError unless the index is no longer than the data along every axis but `axis`."""
    if len(indices) != len(data):
        raise ShapeError(f"{op}: indices have rank {len(indices)} and data rank {len(data)}; both must be equal")
    for k, (i, d) in enumerate(zip(indices, data, strict=True)):
        if k != axis:
            require_same(dim_max(i, d), d, f"{op}: indices reach no further than data along axis {k}")


def check_same_shape(a: Iterable[Dim], b: Iterable[Dim], why: str) -> None:
    """Raise ShapeError unless both shapes are, or may be, equal."""
    left, right = tuple(a), tuple(b)
    if len(left) != len(right):
        raise ShapeError(f"{why}: ranks {len(left)} and {len(right)} differ")
    for x, y in zip(left, right, strict=True):
        require_same(x, y, why)


def static_size(dim: Dim, what: str) -> int:
    """`dim` as an integer; raises ShapeError where it is symbolic."""
    if not isinstance(dim, int):
        raise ShapeError(f"{what} must be known at conversion, got {dim}")
    return dim
