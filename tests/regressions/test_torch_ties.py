"""Gradients of tied maxima along an axis: PyTorch's `max(dim)` gives them to the first, `amax` shares them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from converter.exporters.base import ExportOptions
from converter.exporters.torch import write
from converter.importers.torch import load
from converter.prepare import prepare
from converter.runtimes.packages import load_package


class Extremes(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        values, places = x.max(1)
        return values * 2, x.min(0, keepdim=True)[0] * 3, x.reshape(-1).max(0)[0] + places.sum(), x.amax(1) * 5


@pytest.mark.parametrize("seed", [0, 1])
def test_gradients_of_ties(seed: int, tmp_path: Path) -> None:
    x = torch.randint(0, 3, (4, 5), generator=torch.Generator().manual_seed(seed)).float()
    model = load(Extremes(), (x,))
    prepare(model)
    write(model, tmp_path / "m", ExportOptions())
    found = []
    for net in (Extremes(), load_package(tmp_path / "m")):
        leaf = x.clone().requires_grad_()
        torch.stack([o.sum() for o in net(leaf)]).sum().backward()
        found.append(leaf.grad)
    assert torch.equal(*found)
