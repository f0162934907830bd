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


class Constants(nn.Module):
    """As a package that the exporter wrote before, whose constants are buffers, with names taken by other things too."""

    def __init__(self) -> None:
        super().__init__()
        self.constant_1 = nn.Parameter(torch.ones(3))
        self.constant_2 = nn.Linear(3, 3)
        self.constant_4 = nn.ReLU()
        self.register_buffer("constant_3", torch.arange(3.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.constant_2(x * self.constant_1) + torch.tensor([1.0, 2.0, 4.0])
        return self.constant_4(y * torch.tensor([2.0, -1.0, 3.0])) + self.constant_3 * torch.tensor([5.0, 7.0, 9.0])


@pytest.mark.parametrize("inner", [False, True])
def test_constants_keep_clear_of_attributes(inner: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net: nn.Module = nn.Sequential(Constants(), Constants()).eval() if inner else Constants().eval()
    x = torch.randn(2, 3)
    for k in range(2):  # what is written is read and written again
        model = load(net, (x,))
        prepare(model)
        write(model, tmp_path / f"m{k}", ExportOptions())
        again = load_package(tmp_path / f"m{k}")
        torch.testing.assert_close(again(x), net(x))
        net = again
