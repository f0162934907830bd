"""Comparing one output of two runs: values, and where they are not finite."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Difference:
    """How far `actual` is from `expected`.

    `max_abs` is the largest absolute error, `scaled` the same divided by `scale` = max |expected| over finite elements,
    `index` where it stands. `mismatched` counts elements that can never be equal: other NaN or infinity, or, for
    integers and booleans, any difference. `problem` names a difference of shape or dtype.
    """

    max_abs: float = 0.0
    scaled: float = 0.0
    scale: float = 0.0
    index: tuple[int, ...] = ()
    mismatched: int = 0
    size: int = 0
    problem: str = ""


def difference(actual: np.ndarray, expected: np.ndarray, scale: float | None = None) -> Difference:
    """Compare element by element in float64 (complex128 for complex). `scale` replaces max |expected|."""
    if actual.shape != expected.shape:
        return Difference(
            np.inf, np.inf, problem=f"shape {list(actual.shape)} instead of {list(expected.shape)}", size=expected.size
        )
    kinds = {_kind(actual), _kind(expected)}
    if len(kinds) > 1:
        return Difference(
            np.inf, np.inf, problem=f"dtype {actual.dtype} instead of {expected.dtype}", size=expected.size
        )
    if expected.size == 0:
        return Difference()
    if kinds == {"exact"}:
        return _exact(actual, expected)
    wide = np.complex128 if np.iscomplexobj(expected) else np.float64
    return _inexact(actual.astype(wide), expected.astype(wide), scale)


def _kind(array: np.ndarray) -> str:
    if array.dtype.kind in "biu":
        return "exact"
    return "complex" if array.dtype.kind == "c" else "real"


def _exact(actual: np.ndarray, expected: np.ndarray) -> Difference:
    wrong = actual != expected
    count = int(np.count_nonzero(wrong))
    if not count:
        return Difference(scale=float(np.abs(expected.astype(np.float64)).max()), size=expected.size)
    gaps = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    index = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    worst, scale = max(float(gaps.max()), 1.0), max(float(np.abs(expected.astype(np.float64)).max()), 1.0)
    return Difference(worst, worst / scale, scale, tuple(int(i) for i in index), count, expected.size)


def _inexact(actual: np.ndarray, expected: np.ndarray, scale: float | None) -> Difference:
    finite = np.isfinite(expected)
    if (finite & np.isfinite(actual)).all():  # nearly always: the same in fewer steps
        gaps = np.abs(actual - expected)
        return _worst(gaps, gaps, float(np.abs(expected).max()), scale, mismatched=0)
    same_special = (np.isnan(actual) & np.isnan(expected)) | (~np.isnan(expected) & (actual == expected))
    bad = (~finite & ~same_special) | (finite & ~np.isfinite(actual))
    both = finite & np.isfinite(actual)
    gaps = np.where(both, np.abs(np.where(both, actual, 0) - np.where(both, expected, 0)), 0.0)
    found = float(np.abs(expected[finite]).max()) if finite.any() else 0.0
    mismatched = int(np.count_nonzero(bad))
    return _worst(gaps, bad if mismatched else gaps, found, scale, mismatched)


def _worst(gaps: np.ndarray, where: np.ndarray, found: float, scale: float | None, mismatched: int) -> Difference:
    """The difference at the greatest element of `where`."""
    used = found if scale is None else scale
    index = np.unravel_index(int(np.argmax(where)), gaps.shape)
    worst = np.inf if mismatched else float(gaps[index])
    scaled = 0.0 if worst == 0 else worst / used if used > 0 else worst / float(np.finfo(np.float64).tiny)
    return Difference(worst, scaled, found, tuple(int(i) for i in index), mismatched, gaps.size)
