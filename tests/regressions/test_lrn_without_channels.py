"""Local response norms of no channels at all, over windows that ONNX Runtime has no kernel for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from converter.exporters.base import ExportOptions
from converter.exporters.onnx import write
from converter.runtimes.onnxruntime import OnnxRunner
from ir.core import Builder, Leaf, Model, Parameter, Signature
from ir.types import TensorType, dtypes


@pytest.mark.parametrize("size", [3, 4])
def test_no_channels(size: int, tmp_path: Path) -> None:
    model = Model("lrn", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(TensorType(dtypes.float32, (2, 0)), "x")
    model.graph.set_outputs([Builder(model.graph).lrn(x, size=size, alpha=0.5)])
    write(model, tmp_path / "m.onnx", ExportOptions())
    (got,) = OnnxRunner(str(tmp_path / "m.onnx"))({"x": np.zeros((2, 0), np.float32)}).values()
    assert got.shape == (2, 0)
