"""Arguments of emitted classes that would be kept under the name of a child, a weight, or an attribute of every module."""

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


class Block(nn.Module):
    """Two settings that differ between instances and are read in the forward."""

    def __init__(self, factor: float, size: int, name: str, weight: bool) -> None:
        super().__init__()
        self.factor, self.size, self.name = factor, size, name
        made = nn.Parameter(torch.ones(4) / 3) if weight else nn.Linear(4, 4)
        setattr(self, name, made)

    def forward(self, x: Tensor) -> Tensor:
        own = getattr(self, self.name)
        y = x * own if isinstance(own, nn.Parameter) else own(x)
        return torch.nn.functional.pad(y.unflatten(1, (self.size, -1)).flatten(1) / self.factor, (1, 0), value=self.factor)[:, 1:]


@pytest.mark.parametrize("weight", [False, True])
@pytest.mark.parametrize("name", ["value", "dim1", "pad", "shape", "scale", "constant"])
def test_arguments_keep_clear_of_attributes(name: str, weight: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(*(Block(f, k, name, weight) for f, k in ((0.5, 2), (1.5, 4), (2.5, 1)))).eval()
    x = torch.randn(3, 4)
    model = load(net, (x,))
    prepare(model)
    write(model, tmp_path / "m", ExportOptions())
    code = (tmp_path / "m" / "model.py").read_text()
    assert code.count("class Block") == 1
    torch.testing.assert_close(load_package(tmp_path / "m")(x), net(x))
