"""Reading with a fallback from an axis that turns out empty beside one that is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.exporters.base import ExportOptions
from converter.exporters.onnx import write
from converter.runtimes.onnxruntime import OnnxRunner
from ir.core import Builder, Leaf, Model, Parameter, Signature
from ir.eval import Evaluator
from ir.types import TensorType, dtypes, symbol
from tests.exporters.torch import package


@pytest.mark.parametrize(("kind", "fill"), [("float32", 1.5), ("bool", True), ("int16", -3), ("bfloat16", 2.0)])
@pytest.mark.parametrize("op", ["gather", "gather_nd"])
def test_fallbacks(op: str, kind: str, fill: Any, tmp_path: Path) -> None:
    places = np.array([0, 5, 1]) if op == "gather" else np.array([[0, 0], [5, 1], [1, 1]])
    model = Model("reads")
    x = model.graph.add_input(TensorType(dtypes.dtype(kind), (symbol("n"), 2)), "x")
    model.graph.set_outputs([getattr(Builder(model.graph), op)(x, places, bounds="fill", fill_value=fill)])
    model.signature = Signature((Parameter("x", Leaf("x")),), Leaf("output"))
    write(model, tmp_path / "m.onnx", ExportOptions())
    net = package.export(model, tmp_path / "code").load_model()
    for n in (0, 1, 3):
        data = (np.arange(2 * n).reshape(n, 2) % 3).astype(dtypes.dtype(kind).numpy)
        (want,) = Evaluator("exact").run(model, {"x": data}).values()
        (got,) = OnnxRunner(str(tmp_path / "m.onnx"))({"x": data}).values()
        (emitted,) = package.run(net, model, {"x": data}).values()
        for answer in (got, emitted):
            assert answer.dtype == want.dtype and np.array_equal(answer, want)
        assert n or np.all(want == np.asarray(fill, want.dtype)), "nothing is read"
