"""Every pass keeps the results of random models, leaves them sound, and has nothing to do the second time."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ir.core import copy_model
from ir.core.equal import models_equal
from ir.eval import EvaluationError
from ir.passes import (
    Activations,
    CommonSubexpressions,
    DeadCode,
    Fold,
    InferTypes,
    Linear,
    NameWeights,
    Norms,
    Pass,
    Pipeline,
    Simplify,
    standard,
)
from ir.verify import check
from tests.ir.random_graphs import assert_same, random_case

PASSES: list[Pass] = [
    Fold(), Simplify(), CommonSubexpressions(), DeadCode(), InferTypes(), Linear(), Activations(), Norms(), NameWeights(),
]  # fmt: skip
SEEDS = st.integers(0, 2**32 - 1)
SLOW = settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("item", PASSES, ids=lambda p: p.name)
@given(seed=SEEDS, size=st.integers(1, 25))
@SLOW
def test_a_pass_keeps_results(item: Pass, seed: int, size: int) -> None:
    case = random_case(seed, size)
    assume(case is not None)
    check(case.model)
    expected = case.run()
    model = copy_model(case.model)
    item.run(model)
    check(model, item.name)
    assert_same(expected, case.run(model=model))
    if item.name != "fold":  # folding rounds to the declared type, as the source framework does
        assert_same(case.run("reference"), case.run("reference", model))
    once = copy_model(model)
    changed = item.run(model)
    assert not changed and models_equal(once, model)


@given(seed=SEEDS, size=st.integers(1, 40))
@SLOW
def test_the_standard_pipeline_keeps_results(seed: int, size: int) -> None:
    case = random_case(seed, size)
    assume(case is not None)
    model = copy_model(case.model)
    log = standard(debug=True).run(model)
    assert_same(case.run(), case.run(model=model))
    assert log.steps[-1].changed is False
    assert not any(s.changed for s in standard().run(model).steps)


@given(seed=SEEDS, size=st.integers(1, 25))
@SLOW
def test_random_ops_draw_as_before(seed: int, size: int) -> None:
    """Merging and simplifying touch no random node: with one seed the same numbers come out."""
    case = random_case(seed, size, random_ops=True)
    assume(case is not None)
    case.training = True
    try:
        expected = case.run()
    except EvaluationError:  # a batch-norm of nothing cannot train
        assume(False)
    model = copy_model(case.model)
    Pipeline((Simplify(), CommonSubexpressions(), Fold()), fixpoint=True, debug=True).run(model)
    assert_same(expected, case.run(model=model))
