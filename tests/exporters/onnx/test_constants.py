"""Elementwise ops with numbers among their operands, written as ONNX and run, against the evaluator."""

from __future__ import annotations

import pytest

from converter.errors import ConversionError
from converter.runtimes.onnxruntime import OnnxRunner
from ir.eval import EvaluationError, Evaluator
from tests.exporters.onnx.generated import ROUNDINGS, exported
from tests.ops.constants import constant_cases, ops
from tests.ops.harness import assert_close, tolerance

UNWRITTEN = {"complex", "nextafter", "bitwise_and", "bitwise_or", "bitwise_xor"}


@pytest.mark.parametrize("op", ops(), ids=lambda op: op.name)
@pytest.mark.parametrize("opset", [13, 20])
def test_numbers(op, opset: int) -> None:
    count = 0
    for label, model, arrays in constant_cases(op):
        try:
            wanted = Evaluator("exact").run(model, arrays)["output"]
            data = exported(model, opset)
        except EvaluationError:
            continue  # a division of integers by zero
        except ConversionError as error:
            assert error.unsupported, error
            continue
        got = OnnxRunner(data)(arrays)["output"]
        kind = model.graph.outputs[0].type.dtype
        assert got.dtype == wanted.dtype and got.shape == wanted.shape, label
        assert_close(got, wanted, kind, ROUNDINGS * tolerance(kind))
        count += 1
    assert count > 1 or op.name in UNWRITTEN
