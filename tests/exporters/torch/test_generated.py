"""Every sample of every op, written as PyTorch and run, against the evaluator."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter.errors import ConversionError
from ir.eval import EvaluationError, Evaluator
from ir.types import dtypes
from tests.exporters.torch import package
from tests.ops.harness import all_samples, assert_close, model_of

REFUSED: dict[str, str] = {}
"""Sample id -> reason why torch cannot compute it; any other refusal fails."""

CASES = [(i, op, s) for dtype in (dtypes.float32, dtypes.bfloat16) for i, op, s in all_samples(dtype)]


@pytest.mark.parametrize(("name", "op", "sample"), CASES, ids=[c[0] for c in CASES])
def test_sample(name, op, sample, tmp_path: Path) -> None:
    check(op, sample, tmp_path, dynamic=False)


DYNAMIC = [(i, op, s) for i, op, s in all_samples() if s.dynamic]


@pytest.mark.parametrize(("name", "op", "sample"), DYNAMIC, ids=[c[0] for c in DYNAMIC])
def test_dynamic(name, op, sample, tmp_path: Path) -> None:
    check(op, sample, tmp_path, dynamic=sample.dynamic)


def check(op, sample, folder: Path, dynamic) -> None:
    model, arrays = model_of(op, sample, dynamic)
    expected = Evaluator("exact").run(model, arrays)
    net = package.export(model, folder).load_model()
    actual = package.run(net, model, arrays)
    for (key, want), value in zip(expected.items(), model.graph.outputs):
        assert actual[key].dtype == want.dtype
        assert_close(actual[key], want, value.type.dtype, sample.rtol)


__all__ = ["ConversionError", "EvaluationError"]
