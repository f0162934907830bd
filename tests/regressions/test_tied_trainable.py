"""A weight that trains is not frozen with the module in which an alias of it stands beside a frozen one."""

from __future__ import annotations

import torch
from torch import nn

import converter


class Inner(nn.Module):
    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight
        self.shift = nn.Parameter(torch.ones(3), requires_grad=False)

    def forward(self, x):
        return x * self.weight + self.shift


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3) * 2)
        self.inner = Inner(self.scale)

    def forward(self, x):
        return self.inner(x) * self.scale


def test_tied_weight_trains():
    loaded = converter.convert(Net(), to="torch", inputs=(torch.zeros(2, 3),)).load()
    assert loaded.scale.requires_grad and loaded.inner.weight is loaded.scale
    assert not loaded.inner.shift.requires_grad
