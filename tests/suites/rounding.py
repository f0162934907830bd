"""Answers that rounding alone decides: a softmax of large numbers that are equal but for the order of their sums, say.

The float64 reference of the imported model says what the case means; its evaluation in the declared types, and three more in
which every number that is computed moves by up to one rounding, say how far rounding takes it. An answer beyond the suite's
tolerance is *undecided* where the reference is what the suite expects, and rounding takes it as far from there. It counts
neither as passed nor as wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from converter.verification.tolerance import MARGIN
from ir.core import Model, Node
from ir.eval import EvaluationError, Evaluator
from tests.suites.compare import difference

DRAWS = 3
COPIES = ("creation", "indexing", "rearrange", "shape", "slicing", "subscript")
"""Families of ops that give numbers as they are."""


def explains(
    model: Model,
    inputs: Mapping[str, np.ndarray],
    expected: Sequence[np.ndarray],
    found: Sequence[np.ndarray],
    rtol: float,
    atol: float,
) -> bool:
    """Whether rounding explains every difference of what was found from what was expected, output by output: each is a
    difference of floats, and `MARGIN` times what rounding does at most."""
    named = dict(zip([v.name for v in model.graph.inputs], inputs.values(), strict=True))
    if len(found) != len(expected):
        return False
    try:
        reference = list(Evaluator().run(model, named).values())
        draws = [list(Evaluator("exact").run(model, named).values()), *(_moved(model, named, k) for k in range(DRAWS))]
    except EvaluationError:
        return False
    for i, (got, want) in enumerate(zip(found, expected, strict=True)):
        if not difference(got, want, rtol, atol):
            continue
        if got.shape != want.shape or got.dtype != want.dtype or want.dtype.kind != "f":
            return False
        if difference(reference[i].astype(want.dtype), want, rtol, atol):
            return False
        if not _within(got, reference[i], [d[i] for d in draws]):
            return False
    return True


def _moved(model: Model, inputs: Mapping[str, np.ndarray], number: int) -> list[np.ndarray]:
    """The results where every float that is computed moves by up to one rounding."""
    rng = np.random.default_rng((7919, number))

    def move(node: Node, results: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        return results if node.bodies or node.op.family in COPIES else tuple(map(moved, results))

    def moved(array: np.ndarray) -> np.ndarray:
        if array.dtype.kind != "f":
            return array
        return (array * (1 + np.finfo(array.dtype).eps * rng.uniform(-1, 1, array.shape))).astype(array.dtype)

    return list(Evaluator("exact", replay=move).run(model, dict(inputs)).values())


def _within(got: np.ndarray, reference: np.ndarray, draws: Sequence[np.ndarray]) -> bool:
    """Whether every number is as near to the reference as the draws of rounding are; all must be finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        moved = [np.abs(d.astype(np.float64) - reference).max(initial=0.0) for d in draws if d.shape == reference.shape]
        far = np.abs(got.astype(np.float64) - reference).max(initial=0.0)
    return len(moved) == len(draws) and bool(np.isfinite([far, *moved]).all() and far <= MARGIN * max(moved))


__all__ = ["explains"]
