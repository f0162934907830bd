"""Exporter and importer undo each other: a sample exported and read back evaluates to the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

import ir.ops
from converter.errors import ConversionError
from converter.importers.onnx import load as read
from ir.eval import Evaluator
from ir.eval.evaluator import EvaluationError
from ir.types import dtypes
from tests.exporters.onnx.generated import ROUNDINGS, Setting, chosen, exported
from tests.ops.harness import Case, assert_close, model_of, tolerance

PAIR = Setting("pair", limit=4)


def check(case: Case) -> None:
    """Run one case through both. Raises AssertionError where results differ, ConversionError where the importer refuses."""
    _, op, sample = case
    model, inputs = model_of(op, sample)
    try:
        data = exported(model, 20)
    except ConversionError:
        return  # counted by test_samples
    again = read(data)
    assert again.signature == model.signature
    try:
        wanted = Evaluator("exact").run(model, inputs)
    except EvaluationError:
        return
    got = Evaluator("exact").run(again, inputs)
    for name, kind in model.output_types.items():
        assert_close(got[name], wanted[name], kind.dtype, ROUNDINGS * (sample.rtol or tolerance(kind.dtype)))


@pytest.mark.parametrize("name", [op.name for op in ir.ops.all_ops() if chosen(op, PAIR)])
def test_pair(name: str) -> None:
    failures = []
    for case in chosen(ir.ops.get(name), PAIR):
        try:
            check(case)
        except (AssertionError, ConversionError, EvaluationError) as error:
            failures.append(f"{case[0]}: {error}")
    assert not failures, "\n".join(failures)


def test_half_weights_survive() -> None:
    """bfloat16 and float16 are stored as they are."""
    for kind in (dtypes.bfloat16, dtypes.float16):
        op = ir.ops.get("constant")
        sample = next(iter(op.samples(ir.ops.sampler.Sampler(0, kind))))  # type: ignore[misc]
        model, _ = model_of(op, sample)
        again = Evaluator("exact").run(read(exported(model, 20)), {})
        np.testing.assert_array_equal(again["output"].view(np.uint16), np.asarray(sample.attrs["value"]).view(np.uint16))
