"""Eigenvalues and eigenvectors in the order, and with the phases, of others: what no routine's result fixes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Array = Any
Part = tuple[str, str]
"""An output of `eig` and what is known of it: all (``""``), or its `real`, `imag` or `abs` alone."""
PARTS: dict[str, Callable[[Array], Array]] = {"": np.asarray, "real": np.real, "imag": np.imag, "abs": np.abs}
_WHOLE = (("",), ("real", "imag"))
"""The parts that together say what a vector is."""
FAR = 1e6
"""The distance of what is no number."""


def aligned(found: Mapping[Part, Array], expected: Mapping[Part, Array]) -> dict[Part, Array]:
    """`found` with its eigenvalues, and the columns of its eigenvectors, one for one where `expected` has the nearest, and the
    columns turned to the phases of `expected`. One order serves all parts of a matrix, so that a vector keeps its value.

    Both have the same parts, in the same shapes: values (..., n), vectors (..., n, n). Columns are turned where they are known
    whole; a real or imaginary part alone has no phase to turn and stays as it is.
    """
    order = _order(found, expected)
    if order is None:
        return dict(found)
    moved = {}
    for (output, part), have in found.items():
        index = order if output == "values" else order[..., None, :]
        moved[output, part] = np.take_along_axis(have, index, -1)
    for parts in _WHOLE:
        if all(("vectors", p) in moved for p in parts):
            turned = _turned(_joined(moved, parts), _joined(expected, parts))
            moved.update({("vectors", p): PARTS[p](turned).astype(moved["vectors", p].dtype) for p in parts})
    return moved


def _turned(columns: Array, wanted: Array) -> Array:
    """Each column times the number of length 1 that brings it nearest to the one wanted."""
    along = (np.conj(columns) * wanted).sum(-2, keepdims=True)
    size = np.abs(along)
    with np.errstate(invalid="ignore"):  # no part of what is wanted lies along
        return columns * np.where(size > 0, along / size, 1)


def _order(found: Mapping[Part, Array], expected: Mapping[Part, Array]) -> np.ndarray | None:
    """For each place of `expected` the one in `found`, over all parts together; None where there is nothing to go by."""
    costs: list[Array] = []
    for (output, part), want in expected.items():
        have = found[output, part].astype(np.complex128)
        if output == "values":
            with np.errstate(invalid="ignore"):  # infinities of both
                far = np.abs(have[..., :, None] - want[..., None, :])
            size = float(np.abs(want[np.isfinite(want)]).max(initial=0.0))
            costs.append(far / max(size, np.finfo(np.float32).tiny))
        elif part == "abs":
            costs.append(np.linalg.norm(have[..., :, :, None] - want[..., :, None, :], axis=-3))
    for parts in _WHOLE:
        if all(("vectors", p) in found for p in parts):
            columns, wanted = _joined(found, parts), _joined(expected, parts)
            costs.append(-np.abs(np.einsum("...ki,...kj->...ij", np.conj(columns), wanted)))
    if not costs:
        return None
    from scipy.optimize import linear_sum_assignment

    together = sum(costs)
    cost = np.where(np.isfinite(together), together, FAR)
    order = np.empty(cost.shape[:-1], np.int64)
    for place in np.ndindex(*cost.shape[:-2]):
        rows, columns = linear_sum_assignment(cost[place])
        order[(*place, columns)] = rows
    return order


def _joined(known: Mapping[Part, Array], parts: tuple[str, ...]) -> Array:
    """The eigenvectors as complex numbers."""
    first, *second = (known["vectors", p].astype(np.complex128) for p in parts)
    return first + 1j * second[0] if second else first
