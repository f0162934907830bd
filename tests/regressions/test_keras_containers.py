"""Containers of PyTorch in emitted Keras: subclasses of nn.Sequential, and sequences whose parts have names."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import converter

pytest.importorskip("keras")


class Normed(nn.Sequential):
    """Numbered parts, and no forward of its own."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(4, width), nn.LayerNorm(width), nn.ReLU())


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Normed(4), Normed(6)
        self.rest = nn.Sequential(OrderedDict(hidden=nn.Linear(6, 5), act=nn.Tanh(), scores=nn.Linear(5, 2)))

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(self.second(x + self.first(x)))


def test_containers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    done = converter.convert(Named().eval(), to="keras", output=tmp_path / "net", inputs=("float32[batch,4]",))
    assert done.report.verification is not None and done.report.verification.verdict == "equal"
    assert "class Normed(layers.Layer)" in (tmp_path / "net" / "model.py").read_text("utf-8")
