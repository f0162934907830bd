"""Elements that rounding alone decides: behind an argmax, a comparison, a sort or a rounding, a tie may fall either way.

A model without discontinuous ops on floats or complex numbers has none. For the others, the reference is evaluated again
with every input and weight moved by a few units of rounding; elements that jump are undecided. They are counted, left out
of the comparison, and too many of them make the result inconclusive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from converter.verification.inputs import Case
from ir.core import Model
from ir.eval import EvaluationError, Evaluator
from ir.types import DType, dtypes

RUNS = 3
JITTER_ULPS = 8.0
"""Inputs and weights move by up to this many eps: about what a deep model's own rounding amounts to at its decisions."""

JUMP = 64.0
"""An element jumps when it moves this many times more than nine in ten of its output's elements do."""

MOST = 0.01
"""A larger share of undecided elements proves nothing."""


def has_decisions(model: Model) -> bool:
    """Whether any discontinuous op reads floats or complex numbers."""
    return any(node.op.discontinuous and any(_moves(v.type.dtype) for v in node.inputs) for node in model.nodes())


def _moves(dtype: DType) -> bool:
    return dtype.is_float or dtype.is_complex


def undecided(
    model: Model, calls: Sequence[Case], reference: Case, exact: Case, seed: int = 0
) -> dict[str, np.ndarray]:
    """Per output of the last call, a mask of the elements that rounding decides."""
    runs = [exact, *_moved(model, calls, seed, JITTER_ULPS, dtypes.float32.eps)]
    return {name: _jumps([run[name] for run in runs], values) for name, values in reference.items()}


def conditioned(model: Model, calls: Sequence[Case], seed: int = 0) -> list[Case]:
    """The reference, moved by what one rounding of each input and weight does: how far a badly conditioned model takes
    what any run must round. Empty where what is moved does not evaluate."""
    try:
        return list(_moved(model, calls, seed, 1.0, 0.0))
    except EvaluationError:
        return []


def _moved(model: Model, calls: Sequence[Case], seed: int, ulps: float, least: float) -> Iterator[Case]:
    """The float64 evaluation of the last of calls in turn with every float moved by up to `ulps` of the eps of its type, or of `least`."""
    for k in range(RUNS):
        rng = np.random.default_rng((seed, 7919, k))

        def jitter(array: np.ndarray, dtype: DType, rng: np.random.Generator = rng) -> np.ndarray:
            if not _moves(dtype):
                return array
            eps = dtype.eps if dtype.is_half else max(dtype.real.eps, least)
            wide = array.astype(np.complex128 if dtype.is_complex else np.float64)
            return wide * (1.0 + ulps * eps * rng.uniform(-1.0, 1.0, wide.shape))

        moved = [{n: jitter(a, model.input_types[n].dtype) for n, a in case.items()} for case in calls]
        weights = {n: jitter(w.data.numpy(), w.type.dtype) for n, w in model.weights.items()}
        yield Evaluator().run_in_turn(model, moved, weights)[-1]


def _jumps(runs: list[np.ndarray], reference: np.ndarray) -> np.ndarray:
    """Which elements a run takes far from the reference: all where rounding decides how many there are."""
    if any(run.shape != reference.shape for run in runs):
        return np.ones(reference.shape, np.bool_)
    if reference.dtype.kind in "biu":
        return np.logical_or.reduce([run != reference for run in runs])
    moved = np.zeros(reference.shape)
    with np.errstate(invalid="ignore"):
        for run in runs:
            gap = np.abs(run.astype(reference.dtype) - reference)
            same = (run == reference) | (np.isnan(run) & np.isnan(reference))
            moved = np.maximum(moved, np.where(same, 0.0, np.where(np.isnan(gap), np.inf, gap)))
    if not moved.size:
        return moved.astype(bool)
    finite = np.abs(reference[np.isfinite(reference)])
    least = dtypes.float32.eps * float(finite.max(initial=0.0))
    return moved > JUMP * max(float(np.quantile(moved, 0.9)), least)
