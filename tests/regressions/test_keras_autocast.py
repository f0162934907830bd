"""Keras casts what a layer is given to the layer's own float type: an input that no operation reads was handed on as float32."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import converter
from converter.exporters.base import ExportOptions
from converter.exporters.keras.package import write_package
from ir.core import Leaf, Model, Parameter, Signature
from ir.types import DType, TensorType, dtypes


@pytest.mark.parametrize(("dtype", "cast"), [(dtypes.float32, True), (dtypes.float64, False), (dtypes.bfloat16, False)])
def test_an_input_handed_on_keeps_its_type(dtype: DType, cast: bool, tmp_path: Path) -> None:
    model = Model("same", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    model.graph.set_outputs([model.graph.add_input(TensorType(dtype, (2, 3)), "x")])
    write_package(model, tmp_path / "out", ExportOptions())
    assert ("autocast=False" not in (tmp_path / "out" / "model.py").read_text("utf-8")) == cast


class Weightless(nn.Module):
    """Layers without weights, of Keras' own and of classes that keep nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.Sequential(
            nn.Conv1d(3, 4, 1), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.GELU(), nn.Linear(8, 5), nn.Softmax(-1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.steps(x)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_layers_without_weights_keep_the_type_of_what_they_are_given(dtype: str, tmp_path: Path) -> None:
    module = Weightless().to(getattr(torch, dtype)).eval()
    conv = converter.convert(module, "keras", tmp_path / "out", (f"{dtype}[n,3,4]",))
    assert conv.report.verification is not None and conv.report.verification.verdict == "equal"
    code = (tmp_path / "out" / "model.py").read_text("utf-8")
    assert f'MaxPooling1D(2, strides=2, dtype="{dtype}")' in code and f'Activation("relu", dtype="{dtype}")' in code
    assert code.count("class ") == code.count("autocast=False")
