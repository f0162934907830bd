"""Inputs without elements: each dynamic size as 0, where the source itself takes that.

A result without elements holds no number that could be wrong. Where frameworks fail or disagree about the shapes of such
results the report has a note; a result that has elements all the same (a sum over nothing) is judged as every other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from converter.verification.inputs import Case, draw_case, index_bounds, settled
from ir.core import Model
from ir.eval import EvaluationError, Evaluator, bind_shape
from ir.types import symbols

MOST = 4
"""Sizes that are tried: a model of more has them by mistake."""


def empty_cases(model: Model, near: Case, seed: int) -> Iterator[tuple[str, Case, Case]]:
    """For each dynamic size its name, inputs like `near` in which it is 0, and what the model gives, in the declared dtypes.

    Sizes that the model does not take as 0 are left out.
    """
    sizes: dict[str, int] = {}
    for value in model.graph.inputs:
        bind_shape(value.type.shape, near[value.name].shape, sizes)
    names = dict.fromkeys(s.name for v in model.graph.inputs for d in v.type.shape for s in symbols(d))
    for k, name in enumerate(list(names)[:MOST]):
        try:
            env = settled({**sizes, name: 0}, model.assumptions)
            if env[name] != 0 or not all(a.allows(env) for a in model.assumptions):
                continue
            case = draw_case(model, env, near, index_bounds(model), np.random.default_rng((seed, k)))
            exact = Evaluator("exact").run(model, case)
        except (EvaluationError, ZeroDivisionError):  # of a size that is divided by this one
            continue
        yield name, case, exact


def other_shapes(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> str:
    """What a result without elements is and should be; "" where all shapes are right."""
    wrong = [n for n, a in expected.items() if n in found and not a.size and found[n].shape != a.shape]
    wrong = [n for n in wrong if not found[n].size]
    return "; ".join(f"{n} is {list(found[n].shape)} and not {list(expected[n].shape)}" for n in wrong)


def other_limits(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> str:
    """Which results that are no numbers (the mean of nothing) are other ones; "" where none is."""
    wrong = []
    for name, want in expected.items():
        have = found.get(name)
        if have is None or have.shape != want.shape or want.dtype.kind not in "fc" or np.isfinite(want).all():
            continue
        if not np.array_equal(_limits(have), _limits(want), equal_nan=True):
            wrong.append(name)
    return ", ".join(wrong)


def _limits(a: np.ndarray) -> np.ndarray:
    """The infinities and NaN of an array, with 0 for all numbers."""
    wide = a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)
    return np.where(np.isfinite(wide), 0, wide)
