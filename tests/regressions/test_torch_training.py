"""What a model does in training survives: code of one mode, averages, control flow, norms of weights, whole updates."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from tests.regressions.training import Wrap, converted, step, trains_alike


# -- code that runs in one mode ---------------------------------------------------------------------------------------
class Two(nn.Module):
    """Different code, the same structure of results."""

    def __init__(self) -> None:
        super().__init__()
        self.train_only, self.infer_only, self.both = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.temperature = 2.0

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.both(x)
        if self.training:
            a = torch.tanh(self.train_only(h))
            b = a * 2 + h
        else:
            b = self.infer_only(h).relu()
            a = b - x
        scale = 0.5 if self.training else 1.5
        return self.both(a) * scale, b / (self.temperature if self.training else 1.0)


class Jitter(nn.Module):
    """A router's noise (used twice), a clamp, and a value of the training that comes back much later."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        noise = torch.empty_like(x).uniform_(0.9, 1.1) if self.training else None
        y = self.a(x if noise is None else x * noise)
        y = y.clamp(-1, 1)
        z = self.b(y if noise is None else y + noise)
        return z + y


class Guarded(nn.Module):
    """Dropout behind `if self.training`."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        h = self.linear(x).relu()
        if self.training:
            h = F.dropout(h, 0.5)
        return h * 2 + 1


class Statistics(nn.Module):
    """A running mean that only training moves."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.register_buffer("mean", torch.zeros(8))
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        h = self.fc(x)
        if self.training:
            with torch.no_grad():
                self.mean.mul_(0.9).add_(h.mean(0) * 0.1)
                self.calls += 1
            return h - h.mean(0)
        return h - self.mean


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.4, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.attention(x, x, x, need_weights=True)


@pytest.mark.parametrize("make", [Two, Jitter, Guarded, Statistics])
def test_code_of_one_mode(make: Callable[[], nn.Module]) -> None:
    trains_alike(make(), torch.randn(5, 8))


def test_dropout_of_attention_weights() -> None:
    trains_alike(Attending(), torch.randn(3, 5, 8))


def test_what_training_returns_in_another_structure_is_noted() -> None:
    class Auxiliary(Two):
        def forward(self, x: Tensor) -> Any:
            return (self.both(x), self.train_only(x)) if self.training else self.both(x)

    made = converted(Auxiliary().train(), torch.randn(5, 8), notes="results of another structure in training")
    assert isinstance(made.train()(torch.randn(5, 8)), Tensor)


def test_training_decided_by_python_random_numbers_is_noted() -> None:
    import random

    class LayerDrop(Two):
        def forward(self, x: Tensor) -> Tensor:
            return x if self.training and random.random() < 0.5 else self.both(x)

    for _ in range(2):
        converted(LayerDrop().train(), torch.randn(5, 8), notes="Python's random module")


# -- batch normalisation ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("momentum", [None, 0.25])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_averages(momentum: float | None, affine: bool) -> None:
    module = Wrap(nn.BatchNorm1d(8, momentum=momentum, affine=affine))
    made = trains_alike(module, torch.randn(6, 8), seeds=4)
    assert int(dict(made.named_buffers())["layer.num_batches_tracked"]) == 4


# -- control flow ---------------------------------------------------------------------------------------------------
class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        def then(x: Tensor) -> Tensor:
            y = F.dropout(self.fc(x), 0.4, self.training)
            return y + torch.randn_like(y) * 0.1 if self.training else y

        return torch.cond(x.sum() > 0, then, lambda x: self.fc(x) * 2, (x,))


@pytest.mark.parametrize("sign", [1, -1])
def test_training_inside_control_flow(sign: int) -> None:
    """torch.cond itself computes gradients of random branches with other draws: gradients are those of plain Python."""
    module, x = Branching().train(), sign * torch.rand(5, 8)
    made = converted(module, x).train()
    torch.manual_seed(3)
    want = module(x)
    results = [step(made, x, seed=3), step(Branches(module.fc).train(), x, seed=3)]
    torch.testing.assert_close(results[0][0], want)
    torch.testing.assert_close(results[0], results[1])


class Branches(Branching):
    """The same in Python, where the sign is known."""

    def __init__(self, fc: nn.Module) -> None:
        super().__init__()
        self.fc = copy.deepcopy(fc)

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() <= 0:
            return self.fc(x) * 2
        y = F.dropout(self.fc(x), 0.4, self.training)
        return y + torch.randn_like(y) * 0.1


class Normalising(nn.Module):
    """Batch statistics that only one branch moves."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda x: self.norm(x) + 1, lambda x: x * 2, (x,))


@pytest.mark.parametrize("sign", [1, -1])
def test_batch_statistics_inside_control_flow(sign: int) -> None:
    """Torch itself cannot run this in training: the layer is called in plain Python."""
    module, x = Normalising().train(), sign * torch.rand(5, 8)
    made = converted(module, x, notes="norm: its num_batches_tracked stays as it is in training").train()
    source = copy.deepcopy(module.norm).train()
    torch.testing.assert_close(made(x), source(x) + 1 if sign > 0 else x * 2)
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(dict(made.named_buffers())[f"norm.{name}"], getattr(source, name))


# -- weights --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm(dim: int | None) -> None:
    trains_alike(parametrizations.weight_norm(nn.Linear(8, 6), dim=dim), torch.randn(3, 8))


def test_spectral_norm() -> None:
    """Training moves the vectors of the power iteration."""
    trains_alike(nn.Sequential(parametrizations.spectral_norm(nn.Linear(8, 6))), torch.randn(3, 8))


# -- updates --------------------------------------------------------------------------------------------------------
class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU())
        self.block = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, groups=2), nn.BatchNorm2d(6, momentum=0.3))
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x)
        y = F.max_pool2d(F.relu(self.block(y) + y), 2)
        return self.head(y.mean((2, 3)))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.lstm = nn.LSTM(6, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.lstm(self.embed(tokens))
        return self.head(states.mean(1))


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.place = nn.Parameter(torch.randn(1, 6, 8) * 0.1)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, activation="gelu")
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.norm(self.block(self.embed(tokens) + self.place)))[:, -1]


@pytest.mark.parametrize("make", [Convolutional, Recurrent, Transformer])
def test_three_steps_of_training_give_the_same_weights(make: Callable[[], nn.Module]) -> None:
    """In float64: gradients, momentum of the optimiser, running statistics and ties, one step after the other."""
    torch.manual_seed(0)
    module = make().double().train()
    batches = [
        torch.randn(4, 3, 8, 8, dtype=torch.float64) if make is Convolutional else torch.randint(0, 11, (4, 6))
        for _ in range(3)
    ]
    targets = [torch.randint(0, 5, (4,)) for _ in range(3)]
    before = copy.deepcopy(module.state_dict())
    made = converted(module, batches[0]).train()
    trained = []
    for net in (made, module):
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        for x, target in zip(batches, targets, strict=True):
            optimiser.zero_grad()
            F.cross_entropy(net(x), target).backward()
            optimiser.step()
        trained.append(dict(net.state_dict()))
    torch.testing.assert_close(trained[0], trained[1], rtol=1e-9, atol=1e-10)
    assert all(not torch.equal(before[n], trained[1][n]) for n, _ in module.named_parameters())
