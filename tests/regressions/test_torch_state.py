"""State that a model assigns, read before and after: values of before must not change with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from converter.importers.torch import load
from tests.exporters.torch import package

X = torch.tensor([10.0, 20.0])


class Two(nn.Module):
    """Two states."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("a", torch.tensor([1.0, 2.0]))
        self.register_buffer("b", torch.tensor([5.0, 7.0]))
        self.register_buffer("square", torch.tensor([[1.0, 2.0], [3.0, 4.0]]))


class Swapped(Two):
    def forward(self, x: Tensor) -> Tensor:
        a, b = self.a.clone(), self.b.clone()
        self.a.copy_(b)
        self.b.copy_(a)
        return x + self.a


class Before(Two):
    def forward(self, x: Tensor) -> Tensor:
        old = self.a.clone()
        self.a.copy_(self.a + x)
        return old


class ViewsOfBefore(Two):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        old = self.a.clone()
        self.a.add_(x)
        return old[1:], old.view(1, 2), old.unsqueeze(0).expand(2, 2), self.a * 1


class Shifted(Two):
    def forward(self, x: Tensor) -> Tensor:
        new = torch.cat([self.a[1:], x[:1]])
        self.a.copy_(new)
        self.b.copy_(self.a.flip(0))
        return new


class Fibonacci(Two):
    def forward(self, x: Tensor) -> Tensor:
        total, old = self.a + self.b, self.b.clone()
        self.a.copy_(old)
        self.b.copy_(total)
        return total


class Turned(Two):
    def forward(self, x: Tensor) -> Tensor:
        self.square.copy_(self.square.t().clone())
        return x @ self.square


class CountedOrNot(Two):
    """What only training changes is not copied."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.a.add_(1)
        return x * self.a


class Statistics(nn.Module):
    """Statistics read before the layer that moves them, and returned as they were."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        before = self.norm.running_mean.clone()
        y = self.norm(x[None] * torch.tensor([[1.0], [2.0], [4.0]]))
        return y * 3 + (x - before), before


CASES = (Swapped, Before, ViewsOfBefore, Shifted, Fibonacci, Turned, CountedOrNot, Statistics)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)
def test_three_calls(case: type[nn.Module], training: bool, tmp_path: Path) -> None:
    source = case().train(training)
    net = package.export(load(source, (X,)), tmp_path).load_model().train(training)
    for step in range(3):
        wanted, found = source(X + step), net(X + step)
        torch.testing.assert_close(found, wanted)
        floats = {n: v for n, v in source.state_dict().items() if v.is_floating_point()}  # no count of batches
        torch.testing.assert_close({n: net.state_dict()[n] for n in floats}, floats)
    if case is CountedOrNot:
        assert ".clone()" not in (tmp_path / "model.py").read_text()
