"""Layers that draw in training, and those that always do: drop-path, noise, dropout, random slopes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import converter
from tests.regressions.training import Wrap, converted, step, trains_alike


# -- drop-path ------------------------------------------------------------------------------------------------------
class TimmDropPath(nn.Module):
    def __init__(self, rate: float = 0.0, scale: bool = True) -> None:
        super().__init__()
        self.rate, self.scale = rate, scale

    def forward(self, x: Tensor) -> Tensor:
        if self.rate == 0.0 or not self.training:
            return x
        keep = 1 - self.rate
        drawn = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        if keep > 0.0 and self.scale:
            drawn.div_(keep)
        return x * drawn


class FloorDropPath(nn.Module):
    """HF's and old timm's: floor(keep + uniform)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.rate > 0:
            keep = 1 - self.rate
            drawn = keep + torch.rand((x.shape[0],) + (1,) * (x.ndim - 1), dtype=x.dtype, device=x.device)
            drawn.floor_()
            return x.div(keep) * drawn
        return x


class StochasticDepth(nn.Module):
    """torchvision's."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        size = [x.shape[0]] + [1] * (x.ndim - 1) if self.mode == "row" else [1] * x.ndim
        noise = torch.empty(size, dtype=x.dtype, device=x.device).bernoulli_(1.0 - self.p)
        if self.p < 1.0:
            noise.div_(1.0 - self.p)
        return x * noise


@pytest.mark.parametrize("make", [
    lambda: TimmDropPath(0.4), lambda: TimmDropPath(0.4, scale=False), lambda: FloorDropPath(0.3),
    lambda: StochasticDepth(0.5, "row"), lambda: StochasticDepth(0.5, "batch"), lambda: StochasticDepth(1.0, "row"),
])  # fmt: skip
def test_drop_path(make: Callable[[], nn.Module]) -> None:
    trains_alike(Wrap(make()), torch.randn(6, 5, 8), seeds=5)


def test_drop_path_with_a_rate_for_each_block_is_one_class() -> None:
    class Block(nn.Module):
        def __init__(self, rate: float) -> None:
            super().__init__()
            self.fc, self.path = nn.Linear(8, 8), TimmDropPath(rate)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.path(self.fc(x))

    made = trains_alike(nn.Sequential(*(Block(0.1 * i) for i in range(1, 4))), torch.randn(6, 8), seeds=5)
    assert {type(m).__name__ for m in made.modules()} >= {"Block", "TimmDropPath"}


def test_drop_path_in_onnx_is_the_identity(tmp_path: Any) -> None:
    module, x = Wrap(TimmDropPath(0.4)).train(), torch.randn(6, 8)
    conversion = converter.convert(module, "onnx", tmp_path / "m.onnx", inputs=(x,))
    assert any("layer" in n and "training" in n for n in conversion.report.notes)
    session = onnxruntime.InferenceSession(str(conversion.path))
    (got,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(got, module.eval()(x).detach().numpy(), atol=1e-5)


# -- noise ----------------------------------------------------------------------------------------------------------
class Noise(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        if self.kind == "normal":
            return x + torch.randn_like(x) * 0.1
        if self.kind == "normal_":
            return x + torch.empty_like(x).normal_(0.5, 0.2)
        if self.kind == "uniform_":
            return x * torch.empty_like(x).uniform_(0.5, 2.0)
        if self.kind == "torch.normal":
            return x + torch.normal(0.0, 0.3, x.shape)
        return x * torch.bernoulli(torch.sigmoid(x.detach()))


@pytest.mark.parametrize("kind", ["normal", "normal_", "uniform_", "torch.normal", "bernoulli"])
def test_noise(kind: str) -> None:
    trains_alike(Wrap(Noise(kind)), torch.randn(6, 8))


@pytest.mark.parametrize("layer", [nn.AlphaDropout(0.3), nn.FeatureAlphaDropout(0.3), nn.Dropout1d(0.4)])
def test_other_dropouts(layer: nn.Module) -> None:
    trains_alike(Wrap(layer), torch.randn(6, 5, 8))


def test_noise_and_dropout_in_a_row() -> None:
    trains_alike(
        nn.Sequential(nn.Linear(8, 8), Noise("normal"), nn.Dropout(0.3), TimmDropPath(0.2), nn.Linear(8, 3)),
        torch.randn(6, 8),
    )


def test_random_slopes() -> None:
    """Torch draws slopes for negative elements only: other numbers, the same law."""
    x = torch.linspace(-2, 2, 41)
    made = converted(nn.RReLU(0.1, 0.5).train(), x).train()
    drawn = torch.stack([made(x) for _ in range(2000)])
    slopes = (drawn / x)[:, x < 0]
    torch.testing.assert_close(drawn[:, x > 0], x[x > 0].expand(2000, -1))
    assert 0.1 <= float(slopes.min()) < 0.11 and 0.49 < float(slopes.max()) <= 0.5
    assert abs(float(slopes.mean()) - 0.3) < 0.005 and abs(float(slopes.var()) - 0.4**2 / 12) < 0.001


# -- frozen and always active -----------------------------------------------------------------------------------------
def test_parts_frozen_in_evaluation() -> None:
    module = nn.Sequential(
        nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), TimmDropPath(0.5), nn.Linear(8, 3)
    ).train()
    for part in (1, 3):
        module[part].eval()
    made = converted(module, torch.randn(6, 8)).train()
    x = torch.randn(6, 8)
    torch.testing.assert_close(step(made, x), step(copy.deepcopy(module), x))
    torch.testing.assert_close(made[1].running_mean, torch.zeros(8)) if isinstance(made, nn.Sequential) else None


class Uncertain(nn.Module):
    """Monte Carlo dropout: never off."""

    def __init__(self, always: bool = True) -> None:
        super().__init__()
        self.fc, self.drop, self.always = nn.Linear(8, 8), nn.Dropout(0.4), always

    def forward(self, x: Tensor) -> Tensor:
        h = self.drop(self.fc(x))
        return F.dropout(h, 0.3, training=True) if self.always else h


def test_dropout_that_never_stops() -> None:
    module, x = Uncertain().eval(), torch.randn(6, 8)
    made = converter.convert(module, "torch", inputs=(x,), verify=False).load()
    for net in (made, module):
        net.eval()
    torch.testing.assert_close(step(made, x), step(module, x))
    assert not torch.equal(made(x), made(x))


def test_dropout_layers_left_active_in_evaluation_never_stop() -> None:
    module, x = Uncertain(always=False).eval(), torch.randn(6, 8)
    module.drop.train()
    conversion = converter.convert(module, "torch", inputs=(x,), verify=False)
    assert any("drop" in n for n in conversion.report.notes)
    torch.testing.assert_close(step(conversion.load(), x), step(module, x))
