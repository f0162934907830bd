"""Inputs without elements: each dynamic size as 0, where the source itself takes that.

A result without elements holds no number that could be wrong. Where frameworks fail or disagree about the shapes of such
results the report has a note; a result that has elements all the same (a sum over nothing) is judged as every other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from converter.verification.inputs import Case, draw_case, holds, index_bounds, settled
from ir.core import Model
from ir.core.walk import walk
from ir.eval import EvaluationError, Evaluator, bind_shape
from ir.types import symbols

MOST = 4
"""Sizes that are tried: a model of more has them by mistake."""
LOOPS = ("scan", "while")
"""Where these take nothing, ONNX Runtime can end the process that it runs in."""


def empty_cases(model: Model, near: Case, seed: int, framework: str) -> Iterator[tuple[str, Case, Case]]:
    """For each dynamic size its name, inputs like `near` in which it is 0, and what the model gives, in the declared dtypes.

    Sizes that the model does not take as 0 are left out.
    """
    if framework == "onnx" and has_loops(model):
        return
    sizes: dict[str, int] = {}
    for value in model.graph.inputs:
        bind_shape(value.type.shape, near[value.name].shape, sizes)
    names = dict.fromkeys(s.name for v in model.graph.inputs for d in v.type.shape for s in symbols(d))
    for k, name in enumerate(list(names)[:MOST]):
        env = settled({**sizes, name: 0}, model.assumptions)
        if env[name] != 0 or not all(holds(a, env) for a in model.assumptions):
            continue
        case = draw_case(model, env, near, index_bounds(model), np.random.default_rng((seed, k)))
        try:
            yield name, case, Evaluator("exact").run(model, case)
        except EvaluationError:
            continue


def has_loops(model: Model) -> bool:
    """Whether it has loops, at any depth."""
    return any(node.op.name in LOOPS for node in walk(model.graph))


def other_shapes(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> str:
    """What a result without elements is and should be; "" where all shapes are right."""
    wrong = [n for n, a in expected.items() if n in found and not a.size and found[n].shape != a.shape]
    wrong = [n for n in wrong if not found[n].size]
    return "; ".join(f"{n} is {list(found[n].shape)} and not {list(expected[n].shape)}" for n in wrong)
