"""Second calls of models with state: each begins with what the first left, so that a wrong update shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from converter.verification.inputs import Case, draw_case, index_bounds
from ir.core import Model
from ir.eval import EvaluationError, Evaluator, bind_shape

MOST = 2
"""Cases that are followed by a second call."""


def second_calls(model: Model, cases: Sequence[Case], seed: int) -> Iterator[tuple[list[Case], Case]]:
    """Pairs of calls, a case and other inputs of its sizes (or itself, where the model takes none that are drawn), each
    with what the model gives in the second, in the declared dtypes. Nothing for a model without state."""
    if not model.state:
        return
    bounds = index_bounds(model)
    for k, case in enumerate(cases[:MOST]):
        sizes: dict[str, int] = {}
        for value in model.graph.inputs:
            bind_shape(value.type.shape, case[value.name].shape, sizes)
        drawn = draw_case(model, sizes, case, bounds, np.random.default_rng((seed, 104_729, k)))
        for second in (drawn, case):
            try:
                yield [case, second], Evaluator("exact").run_in_turn(model, [case, second])[-1]
                break
            except EvaluationError:  # of indices that a size which the model computes does not have
                continue
