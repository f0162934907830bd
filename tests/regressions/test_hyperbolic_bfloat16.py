"""Hyperbolic functions of bfloat16 at every opset: ONNX Runtime computes them in float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from converter.exporters.base import ExportOptions
from converter.exporters.onnx import write
from converter.runtimes.onnxruntime import OnnxRunner
from ir.core import Builder, Leaf, Model, Parameter, Signature
from ir.eval import Evaluator
from ir.types import TensorType, dtypes


@pytest.mark.parametrize("opset", [13, 22, 24])
@pytest.mark.parametrize("op", ["sinh", "cosh"])
def test_runs(op: str, opset: int, tmp_path: Path) -> None:
    model = Model(op, Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(TensorType(dtypes.bfloat16, (5,)), "x")
    model.graph.set_outputs([getattr(Builder(model.graph), op)(x)])
    write(model, tmp_path / "m.onnx", ExportOptions(opset=opset))
    data = np.linspace(-2, 2, 5).astype(dtypes.bfloat16.numpy)
    want = Evaluator("exact").run(model, {"x": data})["output"]
    (got,) = OnnxRunner(str(tmp_path / "m.onnx"))({"x": data}).values()
    assert np.array_equal(got, want)
