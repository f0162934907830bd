"""What a model does in training survives: random layers, training-only code, frozen parts, stopped gradients."""

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
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

import converter


def converted(module: nn.Module, *inputs: Tensor, notes: str = "", verify: bool = False) -> nn.Module:
    """The module converted to PyTorch; its notes are none, or mention `notes`."""
    conversion = converter.convert(module, "torch", inputs=inputs, verify=verify)
    told = conversion.report.notes
    assert any(notes in n for n in told) if notes else not told, told
    made: nn.Module = conversion.load()
    return made


def step(net: nn.Module, *inputs: Tensor, seed: int = 0) -> tuple[Any, dict[str, Any], dict[str, Tensor]]:
    """Outputs, gradients (those of the first input too) and buffers after one training call."""
    given = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    torch.manual_seed(seed)
    out = net(*given)
    first = out[0] if isinstance(out, tuple) else out
    if first.requires_grad:
        first.square().sum().backward()
    gradients = {n: p.grad for n, p in net.named_parameters()} | {"input": given[0].grad}
    return out, gradients, {n: b for n, b in net.state_dict().items() if n not in gradients}


def trains_alike(module: nn.Module, *inputs: Tensor, seeds: int = 3, notes: str = "") -> nn.Module:
    """Outputs, gradients and buffers of source and conversion agree in training mode, random draws included, and the
    outputs in inference mode. Returns the conversion."""
    module = module.train()
    made = converted(module, *inputs, notes=notes)
    source = copy.deepcopy(module)
    made.train()
    for seed in range(seeds):
        torch.testing.assert_close(step(made, *inputs, seed=seed), step(source, *inputs, seed=seed))
    source.eval(), made.eval()
    torch.testing.assert_close(made(*inputs), source(*inputs))
    return made


class Wrap(nn.Module):
    """A layer of the case between two that have parameters."""

    def __init__(self, layer: nn.Module, *size: int) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.layer = layer
        self.last = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(self.first(x)))


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
    made = converted(module, x).train()
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
