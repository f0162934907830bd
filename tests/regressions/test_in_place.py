"""In-place writes with dynamic sizes, from PyTorch to ONNX and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import converter


class Writes(nn.Module):
    """Writes through views, by position, mask and range."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x.clone()
        y[:, 0] = 1
        y[:, 1:3] += x[:, :2]
        y[0] = -1
        flat = y.view(-1)
        flat[0] = 7
        y.masked_fill_(y > 1.5, 0)
        z = torch.zeros_like(x)
        z[:, ::2] = 3
        z[..., -1:] = x[..., :1]
        z[x > 0.5] = 0
        z.t()[1] += 5
        return y, z


def test_there_and_back(tmp_path: Path) -> None:
    model = Writes()
    written = converter.convert(model, "onnx", tmp_path / "m.onnx", ("float32[b,t]",), verify=False).path
    back = converter.convert(written, "torch", verify=False).load()
    draws = torch.Generator().manual_seed(0)
    for shape in ((2, 6), (3, 8), (1, 5)):
        x = torch.randn(shape, generator=draws)
        torch.testing.assert_close(back(x), model(x))
        with pytest.raises(AssertionError):  # the comparison can fail
            torch.testing.assert_close(back(x), model(x + 1))
