"""Ops whose attributes follow symbolic sizes, written as ONNX and run at several sizes, against the evaluator."""

from __future__ import annotations

import pytest

from converter.errors import ConversionError
from converter.runtimes.base import RuntimeFailure
from converter.runtimes.onnxruntime import OnnxRunner
from ir.eval import EvaluationError, Evaluator
from tests.exporters.onnx.generated import exported
from tests.ops.harness import assert_close
from tests.ops.symbolic import CASES, arrays, models

NOT_EMPTY = {13: {"one_in_front", "ones_gone", "exchanged", "doubled"}, 20: {"doubled"}}
"""By opset, the cases that ONNX Runtime fails at without elements: Reshape makes no size of 0 before opset 14, Resize
divides by it."""


REFUSED = {"by_two_up", "by_a_quarter_more"}
"""ONNX Runtime rounds positions otherwise at some sizes."""


@pytest.mark.parametrize("opset", [13, 20])
@pytest.mark.parametrize("name", CASES)
def test_sizes(name: str, opset: int) -> None:
    model, kind = models(name)
    if name in REFUSED:
        with pytest.raises(ConversionError, match="from or to symbolic sizes"):
            exported(model, opset)
        return
    runner = OnnxRunner(exported(model, opset))
    count = 0
    for x in arrays(kind):
        try:
            wanted = Evaluator("exact").run(model, {"x": x})["output"]
        except EvaluationError:
            continue  # nothing exists at this size
        if x.size == 0 and name in NOT_EMPTY[opset]:
            with pytest.raises(RuntimeFailure):
                runner({"x": x})
            continue
        got = runner({"x": x})["output"]
        assert got.dtype == wanted.dtype and got.shape == wanted.shape, (
            f"{x.shape}: {got.shape}, expected {wanted.shape}"
        )
        assert_close(got, wanted, model.graph.outputs[0].type.dtype)
        count += 1
    assert count > 1
