"""Powers of integers: PyTorch cuts what a negative power gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import converter


class Power(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x**y


def test_negative_powers_of_integers(tmp_path: Path) -> None:
    x, y = torch.arange(-3, 4)[:, None], torch.arange(-3, 5)
    inputs = ("int64[n,1]", "int64[m]")
    made = converter.convert(Power(), "torch", inputs=inputs, verify=False).load()
    torch.testing.assert_close(made(x, y), x**y)
    written = converter.convert(Power(), "onnx", tmp_path / "m.onnx", inputs, verify=False).path
    (got,) = converter.run(written, (x.numpy(), y.numpy())).values()
    np.testing.assert_array_equal(got, (x**y).numpy())


class Doubling(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 ** torch.arange(x.shape[0])


def test_a_range_upwards_needs_no_care(tmp_path: Path) -> None:
    path = converter.convert(Doubling(), "torch", tmp_path / "m", ("float32[n]",), verify=False).path
    assert "where" not in (path / "model.py").read_text().split("class Doubling")[1].split("def load_model")[0]
