"""Layers whose gradient TensorFlow lacks on a CPU, or whose parts are written by hand: three steps of training end where
PyTorch's do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import converter
from tests.exporters.tensorflow.process import process
from tests.exporters.tensorflow.test_packages import after_steps, record


class Convolutions(nn.Module):
    """Groups, channels apart, dilation with strides, transposes, uneven padding, norms."""

    def __init__(self) -> None:
        super().__init__()
        self.groups = nn.Conv2d(4, 6, 3, padding=1, groups=2)
        self.apart = nn.Conv2d(6, 6, 3, groups=6, padding=(1, 0))
        self.dilated = nn.Conv2d(6, 4, 2, stride=2, dilation=2, padding=1)
        self.bn = nn.BatchNorm2d(4, momentum=0.3)
        self.up = nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1, groups=2, bias=False)
        self.pool = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        self.norm = nn.GroupNorm(2, 4)
        self.line = nn.Conv1d(4, 3, 3, dilation=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.dilated(self.apart(self.groups(x))))
        return self.line(self.norm(self.pool(self.up(x))).flatten(2))


class Sequences(nn.Module):
    """A padded row, layers in both directions, both GRU's and LSTM's, attention that sees nothing in places."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(7, 6, padding_idx=0)
        self.lstm = nn.LSTM(6, 4, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(8, 5, batch_first=True)
        self.norm = nn.LayerNorm(5)

    def forward(self, x: Tensor) -> Tensor:
        y, (h, c) = self.lstm(self.words(x))
        y, last = self.gru(y)
        keep = (x > 0).unsqueeze(1).expand(-1, x.shape[1], -1) & (x > 0).unsqueeze(2)
        y = nn.functional.scaled_dot_product_attention(y, y, y, keep)
        return self.norm(y + last[0].unsqueeze(1)).mean(1) + h.sum() + c.mean()


def inputs_of(net: nn.Module) -> np.ndarray:
    """An input."""
    rng = np.random.default_rng(5)
    if isinstance(net, Convolutions):
        return rng.standard_normal((3, 4, 9, 8)).astype(np.float32)
    return np.where(np.arange(6) < np.array([[6], [3], [4]]), rng.integers(1, 7, (3, 6)), 0)


@pytest.mark.parametrize("kind", [Convolutions, Sequences], ids=lambda k: k.__name__)
def test_training(kind, tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = kind()
    x = inputs_of(net)
    converter.convert(net, to="tensorflow", output=tmp_path / "out", inputs=(torch.from_numpy(x),), verify=False)
    with torch.no_grad():
        want = net.eval()(torch.from_numpy(x)).numpy()
    (name,) = record(tmp_path / "out")["inputs"]
    (got,) = process().run(tmp_path / "out", {name: x}, "function").values()
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    found = process().run(tmp_path / "out", {name: x}, steps=3)
    after = after_steps(net.train(), x, 3)
    for own, about in record(tmp_path / "out")["weights"].items():
        array = after[about["source"]].numpy()
        array = array.transpose(about["axes"]) if "axes" in about else array
        got = next(v for k, v in found.items() if k.partition(":")[2] == own)
        np.testing.assert_allclose(got, array, rtol=2e-4, atol=2e-5, err_msg=own)
    assert sum(k.startswith("trained:") for k in found) == sum(p.requires_grad for p in net.parameters())
