"""Elementwise ops with numbers among their operands, written as PyTorch and run, against the evaluator."""

from __future__ import annotations

from pathlib import Path

import pytest

from ir.eval import EvaluationError, Evaluator
from tests.exporters.torch import package
from tests.ops.constants import constant_cases, ops
from tests.ops.harness import assert_close


@pytest.mark.parametrize("op", ops(), ids=lambda op: op.name)
def test_numbers(op, tmp_path: Path) -> None:
    count = 0
    for label, model, arrays in constant_cases(op):
        try:
            wanted = Evaluator("exact").run(model, arrays)["output"]
        except EvaluationError:
            continue  # a division of integers by zero
        got = package.run(package.export(model, tmp_path / label).load_model(), model, arrays)["output"]
        assert got.dtype == wanted.dtype and got.shape == wanted.shape, label
        assert_close(got, wanted, model.graph.outputs[0].type.dtype)
        count += 1
    assert count > 1
