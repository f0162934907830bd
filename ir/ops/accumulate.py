"""Setting and reducing rows at given cells, with the canonical order of duplicates and the canonical gradients."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ir.types import DType
from ir.types.errors import DTypeError

Array = np.ndarray
Reduction = Literal["none", "add", "mul", "max", "min", "mean"]
_UFUNCS = {"add": np.add, "mean": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def check_reduction(dtype: DType, reduction: str, op: str) -> None:
    """Raise DTypeError where the reduction has no meaning for the dtype."""
    if dtype.is_bool and reduction == "mean":
        raise DTypeError(f"{op}: booleans have no mean")
    if dtype.is_complex and reduction in ("max", "min"):
        raise DTypeError(f"{op}: complex numbers have no {reduction}")


def accumulate(rows: Array, cells: Array, updates: Array, reduction: Reduction, include_self: bool) -> Array:
    """A copy of `rows` [n, w] with `updates` [m, w] written to, or reduced into, the rows `cells` [m], in order."""
    out = rows.copy()
    if reduction == "none":
        last = _last_visits(cells)
        out[cells[last]] = updates[last]
        return out
    rest = np.ones(cells.shape, np.bool_)
    if not include_self:  # a touched cell starts from its first update
        touched, first = np.unique(cells, return_index=True)
        out[touched] = updates[first]
        rest[first] = False
    _UFUNCS[reduction].at(out, cells[rest], updates[rest])
    if reduction == "mean":
        touched, count = np.unique(cells, return_counts=True)
        divisor = (count + int(include_self)).astype(_count_dtype(out.dtype))[:, None]
        whole = np.issubdtype(out.dtype, np.integer)
        out[touched] = out[touched] // divisor if whole else out[touched] / divisor
    return out


def _count_dtype(dtype: np.dtype) -> np.dtype:
    """A dtype that holds any count and divides values of `dtype` without rounding either."""
    return np.dtype({"i": np.int64, "u": np.uint64}.get(dtype.kind, dtype))


def _last_visits(cells: Array) -> Array:
    """For each distinct cell the position of its last visit."""
    _, back = np.unique(cells[::-1], return_index=True)
    return len(cells) - 1 - back


def accumulate_vjp(
    g: Array, rows: Array, cells: Array, updates: Array, reduction: Reduction, include_self: bool
) -> tuple[Array, Array]:
    """Cotangents of `rows` and `updates` of `accumulate` for the output cotangent `g`."""
    g_rows, g_updates = g.copy(), g[cells]
    if reduction == "none":
        winners = np.zeros(cells.shape, np.bool_)
        winners[_last_visits(cells)] = True
        g_rows[cells] = 0
        return g_rows, np.where(winners[:, None], g_updates, 0)
    if not include_self:
        g_rows[cells] = 0
    if reduction == "mean":
        count = np.bincount(cells, minlength=len(rows)) + int(include_self)
        share = 1 / np.maximum(count, 1)[:, None]
        return np.where(np.isin(np.arange(len(rows)), cells)[:, None], g_rows * share, g_rows), g_updates * share[cells]
    if reduction in ("max", "min"):
        return _extreme_vjp(g, g_rows, rows, cells, updates, reduction, include_self)
    if reduction == "mul":
        return _product_vjp(g_rows, g_updates, rows, cells, updates, include_self)
    return g_rows, g_updates


def _extreme_vjp(
    g: Array, g_rows: Array, rows: Array, cells: Array, updates: Array, reduction: Reduction, include_self: bool
) -> tuple[Array, Array]:
    """The cotangent shared equally among all contributors that equal the result."""
    result = accumulate(rows, cells, updates, reduction, include_self)
    own = (rows == result) & (include_self | ~np.isin(np.arange(len(rows)), cells)[:, None])
    hits = updates == result[cells]
    sharers = own.astype(g.dtype)
    np.add.at(sharers, cells, hits.astype(g.dtype))
    share = g / np.maximum(sharers, 1)
    return np.where(own, share, 0).astype(g.dtype), np.where(hits, share[cells], 0)


def _product_vjp(
    g_rows: Array, g_updates: Array, rows: Array, cells: Array, updates: Array, include_self: bool
) -> tuple[Array, Array]:
    """Each factor gets the cotangent times the product of the others: prefix products times suffix products."""
    others = np.ones(updates.shape, updates.dtype)
    before = rows.copy() if include_self else np.ones(rows.shape, rows.dtype)
    after = np.ones(rows.shape, rows.dtype)
    for k, cell in enumerate(cells):
        others[k] *= before[cell]
        before[cell] = before[cell] * updates[k]
    for k in range(len(cells) - 1, -1, -1):
        others[k] *= after[cells[k]]
        after[cells[k]] = after[cells[k]] * updates[k]
    return g_rows * after, g_updates * others
