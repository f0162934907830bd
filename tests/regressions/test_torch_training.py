"""What a model does in training survives: dropout that only the training path has, normalised weights."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import converter


def trains_alike(module: nn.Module, *inputs: Tensor) -> None:
    """Outputs and gradients of source and conversion agree in training mode, random draws included."""
    conversion = converter.convert(module.eval(), "torch", inputs=inputs, verify=False)
    assert not conversion.report.notes
    made = conversion.load()
    results = []
    for net in (copy.deepcopy(module), made):
        net.train()
        torch.manual_seed(0)
        out = net(*inputs)
        first = out[0] if isinstance(out, tuple) else out
        first.square().sum().backward()
        results.append((first, {n: p.grad for n, p in net.named_parameters()}))
    torch.testing.assert_close(results[1], results[0])


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.4, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.attention(x, x, x, need_weights=True)


class Guarded(nn.Module):
    """Dropout behind `if self.training`."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        h = self.linear(x).relu()
        if self.training:
            h = nn.functional.dropout(h, 0.5)
        return h * 2 + 1


@pytest.mark.parametrize("make", [Attending, Guarded])
def test_dropout_that_only_training_has(make: Callable[[], nn.Module]) -> None:
    trains_alike(make(), torch.randn(3, 5, 8))


@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm(dim: int | None) -> None:
    trains_alike(parametrizations.weight_norm(nn.Linear(8, 6), dim=dim), torch.randn(3, 8))


def test_spectral_norm_keeps_its_inference() -> None:
    module = nn.Sequential(parametrizations.spectral_norm(nn.Linear(8, 6))).eval()
    x = torch.randn(3, 8)
    torch.testing.assert_close(converter.convert(module, "torch", inputs=(x,), verify=False).load()(x), module(x))
