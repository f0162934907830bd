"""Ops whose attributes follow symbolic sizes, written as PyTorch and run at several sizes, against the evaluator."""

from __future__ import annotations

from pathlib import Path

import pytest

from ir.eval import EvaluationError, Evaluator
from tests.exporters.torch import package
from tests.ops.harness import assert_close
from tests.ops.symbolic import CASES, arrays, models

NOT_EMPTY = {"by_two", "by_four_of_centres", "by_half", "by_one_and_two", "by_half_more"}.union(
    n for n in CASES if n.startswith("quotient_") and n != "quotient_to_another"
)
"""torch's interpolation refuses images without elements."""


@pytest.mark.parametrize("name", CASES)
def test_sizes(name: str, tmp_path: Path) -> None:
    model, kind = models(name)
    net = package.export(model, tmp_path).load_model()
    count = 0
    for x in arrays(kind):
        try:
            wanted = Evaluator("exact").run(model, {"x": x})["output"]
        except EvaluationError:
            continue  # nothing exists at this size
        if x.size == 0 and name in NOT_EMPTY:
            with pytest.raises(RuntimeError, match="should be greater than 0"):
                package.run(net, model, {"x": x})
            continue
        got = package.run(net, model, {"x": x})["output"]
        assert got.dtype == wanted.dtype and got.shape == wanted.shape, (
            f"{x.shape}: {got.shape}, expected {wanted.shape}"
        )
        assert_close(got, wanted, model.graph.outputs[0].type.dtype)
        count += 1
    assert count > 1
