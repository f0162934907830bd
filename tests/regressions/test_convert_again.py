"""Converted packages as sources, and settings that do not apply."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import converter
from converter import UsageError


class Model(nn.Module):
    """Nested inputs, a name that Python would mangle inside a class."""

    def __init__(self) -> None:
        super().__init__()
        self.add_module("__inner", nn.Linear(4, 4))

    def forward(self, x: Tensor, more: dict[str, Tensor]) -> Tensor:
        return getattr(self, "__inner")(x) + more["shift"]


def test_a_package_knows_its_inputs(tmp_path: Path) -> None:
    specs = {"x": "float32[batch,4]", "more": {"shift": "float32[batch,4]"}}
    model = Model().eval()
    package = converter.convert(model, "torch", tmp_path / "package", specs, verify=False).path
    assert converter.load(package).signature.input_names == ("x", "more.shift")
    again = converter.convert(package, "torch", verify=False).load()
    x, more = torch.randn(3, 4), {"shift": torch.randn(3, 4)}
    torch.testing.assert_close(again(x, more), model(x, more))


def test_an_opset_is_for_onnx() -> None:
    with pytest.raises(UsageError, match="opset"):
        converter.convert(nn.ReLU(), "torch", inputs=("float32[4]",), opset=17)
