"""Gradients that stop or are the user's own: detached values, frozen blocks, checkpoints, hooks, backward passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import converter
from tests.regressions.training import converted, trains_alike


# -- gradients ----------------------------------------------------------------------------------------------------
class Detached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        target = y.detach() * 2
        return self.b(y) * target


class Straight(Detached):
    """A straight-through estimator."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        return self.b(y + (torch.round(y * 4) / 4 - y).detach())


class Frozen(Detached):
    """A backbone under `no_grad`, with dropout and batch statistics inside, and `enable_grad` inside of that."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.drop = nn.BatchNorm1d(8), nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            y = self.drop(self.norm(self.a(x)))
            with torch.enable_grad():
                z = self.b(x)
            y = y + z.tanh()
        return self.b(y) + z


class Decorated(Detached):
    @torch.no_grad()
    def target(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.a(x), x.argmax(-1)

    def forward(self, x: Tensor) -> Tensor:
        y, best = self.target(x)
        return self.b(x) * y + best[:, None]


@pytest.mark.parametrize("make", [Detached, Straight, Frozen, Decorated])
def test_gradients_that_stop(make: Callable[[], nn.Module]) -> None:
    module = make()
    trains_alike(module, torch.randn(5, 8))
    x = torch.randn(5, 8, requires_grad=True)
    module.eval()(x).sum().backward()
    assert x.grad is not None


def test_a_stopped_gradient_is_told_by_onnx(tmp_path: Any) -> None:
    x = torch.randn(5, 8)
    conversion = converter.convert(Detached(), "onnx", tmp_path / "m.onnx", inputs=(x,))
    assert any("detached" in n for n in conversion.report.notes)


class Inferring(Detached):
    def forward(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            y = self.a(x)
        return self.b(x) + y


def test_inference_mode_inside_a_model_stops_gradients() -> None:
    trains_alike(Inferring(), torch.randn(5, 8))


class Checkpointed(Detached):
    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.reentrant, self.drop = reentrant, nn.Dropout(0.3)

    def part(self, x: Tensor) -> Tensor:
        return self.drop(self.a(x)).relu()

    def forward(self, x: Tensor) -> Tensor:
        y = checkpoint(self.part, x, use_reentrant=self.reentrant) if self.training else self.part(x)
        return self.b(y)


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints_are_plain_calls(reentrant: bool) -> None:
    trains_alike(Checkpointed(reentrant), torch.randn(5, 8))


def test_hooks_on_gradients_are_noted() -> None:
    class Hooked(Detached):
        def forward(self, x: Tensor) -> Tensor:
            y = self.a(x)
            y.register_hook(lambda gradient: gradient * 2)
            return self.b(y)

    module = Hooked()
    converted(module, torch.randn(5, 8), notes="hook of a tensor is not carried over")
    module.b.register_full_backward_hook(lambda *gradients: None)
    converted(module, torch.randn(5, 8), notes="b: its backward hooks are not carried over")


def test_writing_into_a_detached_tensor_is_noted() -> None:
    class Writes(Detached):
        def forward(self, x: Tensor) -> Tensor:
            y = self.a(x)
            y.detach().add_(1)
            return self.b(y)

    converted(Writes(), torch.randn(5, 8), notes="writes into a detached tensor")


class Permuting(Detached):
    """Half of the rows, drawn anew each time; the mean has the same shape in both modes."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        if self.training:
            y = y[torch.randperm(4)[:2]]
        return y.mean(0)


def test_rows_dropped_at_random() -> None:
    module, x = Permuting().train(), torch.randn(4, 8)
    made = converted(module, x).train()
    rows = made.a(x).detach()
    pairs = [(rows[i] + rows[j]) / 2 for i in range(4) for j in range(i)]
    torch.manual_seed(0)
    draws = [made(x).detach() for _ in range(60)]
    assert all(any(torch.allclose(p, out, atol=1e-5) for p in pairs) for out in draws)
    assert {min(range(6), key=lambda k: float((pairs[k] - out).abs().max())) for out in draws} == set(range(6))
    torch.testing.assert_close(made.eval()(x), module.eval()(x))


def test_a_backward_pass_of_the_users_own_is_noted() -> None:
    class Round(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.round()

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            return gradient

    class Rounds(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return Round.apply(x * 2)

    converted(Rounds(), torch.randn(5) * 3, notes="Round is not carried over")
