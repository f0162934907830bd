"""Gradients of PyTorch models where a derivative jumps or does not exist, as what they become computes them; and modules
of unusual containers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import converter
from ir.eval import Evaluator

tf = pytest.importorskip("tensorflow")

TIES = torch.tensor(
    [[0.0, 0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 2.0, 6.0, -1.0], [6.0, 3.0, 3.0, 0.0, -2.0], [2.0, 2.5, 0.5, -1.0, 7.0]]
)
CORNERS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu6": F.relu6,
    "hardtanh": lambda x: F.hardtanh(x, -1.0, 2.5),
    "norm": lambda x: x.norm(dim=1),
    "norm of order 3": lambda x: x.norm(p=3, dim=1),
    "distances": lambda x: torch.cdist(x, x.flip(0)),
    "deviation": lambda x: x.std(1),
    "sinc": torch.sinc,
    "pooling that rounds up": lambda x: F.max_pool2d(x[None, None], 3, 2, 1, ceil_mode=True),
    "pooling with gaps": lambda x: F.max_pool2d(x[None, None], 2, 2, 1, dilation=2),
}


class All(nn.Module):
    """Every function on the same operand, which a parameter scales."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(f(x * self.scale) for f in CORNERS.values())


def weights(shape: tuple[int, ...]) -> np.ndarray:
    """Cotangents that tell elements apart."""
    return np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape).astype(np.float32)


def of_torch(net: nn.Module) -> list[np.ndarray]:
    x = TIES.clone().requires_grad_()
    sums = [(y * torch.from_numpy(weights(tuple(y.shape)))).sum() for y in net(x)]
    return [torch.autograd.grad(s, x, retain_graph=True)[0].numpy() for s in sums]


@pytest.mark.parametrize("target", ["torch", "keras", "tensorflow"])
def test_gradients_where_derivatives_jump(target: str) -> None:
    """Zero lengths gave NaN, bounds let gradients pass, tied elements of a window shared them."""
    wanted = of_torch(All())
    net = converter.convert(All(), target, inputs=(TIES,), verify=False).load()
    if target == "torch":
        found = of_torch(net)
    else:
        x = tf.constant(TIES.numpy())
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            sums = [tf.reduce_sum(y * weights(tuple(y.shape))) for y in net(x)]
        found = [tape.gradient(s, x).numpy() for s in sums]
    for name, mine, theirs in zip(CORNERS, found, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5, err_msg=f"{name} in {target}")


def test_rests_of_divisions_train_in_tensorflow() -> None:
    """TensorFlow has no gradient of its own function."""
    x, y = torch.tensor([5.5, -5.5, 4.0]), torch.tensor([[2.0], [-1.5]])

    class Rest(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return torch.fmod(x, y)

    net = converter.convert(Rest(), "tensorflow", inputs=(x, y), verify=False).load()
    a, b = x.clone().requires_grad_(), y.clone().requires_grad_()
    torch.fmod(a, b).square().sum().backward()
    given = [tf.constant(t.numpy()) for t in (x, y)]
    with tf.GradientTape() as tape:
        for t in given:
            tape.watch(t)
        total = tf.reduce_sum(tf.square(net(*given)))
    for mine, theirs in zip(tape.gradient(total, given), (a.grad, b.grad), strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-6)


def test_convolutions_in_three_dimensions_train_in_tensorflow() -> None:
    """TensorFlow found no gradient of those in groups, with gaps, or transposed with padding."""
    x = torch.linspace(-1, 1, 192).reshape(1, 4, 3, 4, 4)
    layers = (
        nn.Conv3d(4, 2, 2, groups=2),
        nn.Conv3d(4, 2, 2, dilation=(1, 2, 1)),
        nn.ConvTranspose3d(4, 2, 3, 2, padding=1),
    )

    class Three(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(layers)

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            return tuple(layer(x) for layer in self.layers)

    net = converter.convert(Three(), "tensorflow", inputs=(x,), verify=False).load()
    given = tf.constant(x.numpy())
    with tf.GradientTape() as tape:
        tape.watch(given)
        total = sum(tf.reduce_sum(tf.square(y)) for y in net(given))
    wanted = x.clone().requires_grad_()
    sum(layer(wanted).square().sum() for layer in layers).backward()
    np.testing.assert_allclose(tape.gradient(total, given).numpy(), wanted.grad, rtol=1e-4, atol=1e-5)


def test_numbers_whose_squares_overflow() -> None:
    """Lengths of huge and tiny legs, infinities beside NaN, and quotients in PyTorch's order."""
    inf, nan = float("inf"), float("nan")
    x = torch.tensor([3e38, 1e-30, 0.0, inf, nan, 3.0, nan, -inf, 1.0])
    y = torch.tensor([1.0, 1e-30, 0.0, nan, inf, -4.0, 1.0, inf, 3e38])

    class Lengths(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            return torch.hypot(x, y), torch.addcdiv(x, y, y * y + 1, value=-2)

    read = converter.load(Lengths(), (x, y))
    found = Evaluator("exact").run(read, {"x": x.numpy(), "y": y.numpy()}).values()
    for mine, theirs in zip(found, Lengths()(x, y), strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-6)


class Table(nn.Module):
    """A module that takes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0, 1, 4))

    def forward(self) -> Tensor:
        return torch.tanh(self.weight)


class Unusual(nn.Module):
    """A dict of modules with a number as a key, tied weights, a module without operands, a mean over all batches."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({"first": nn.Linear(4, 4), "1": nn.Linear(4, 4)})
        self.parts["1"].weight = self.parts["first"].weight
        self.table = Table()
        self.norm = nn.BatchNorm1d(4, momentum=None)

    def forward(self, x: Tensor) -> Tensor:
        for key in self.parts:
            x = self.norm(self.parts[key](x)) + self.table()
        return x


@pytest.mark.parametrize("target", ["torch", "keras", "tensorflow"])
def test_unusual_containers(target: str, tmp_path: Path) -> None:
    source, x = Unusual().eval(), torch.linspace(-1, 1, 12).reshape(3, 4)
    conversion = converter.convert(source, target, tmp_path / f"out.{target}", inputs=(x,), verify=False)
    found = conversion.load()(x if target == "torch" else tf.constant(x.numpy()))
    np.testing.assert_allclose(
        np.asarray(found.detach() if target == "torch" else found), source(x).detach(), rtol=1e-5
    )
    names = {r["source"] for r in json.loads((tmp_path / f"out.{target}" / "metadata.json").read_text())["weights"].values()}
    assert {"parts.first.weight", "parts.1.bias", "table.weight", "norm.running_var"} <= names


def test_statistics_that_stay_do_not_stop_gradients() -> None:
    """In inference a buffer was written to with what it held, in place: `backward` failed."""
    x = torch.linspace(-1, 1, 12).reshape(3, 4)
    net = converter.convert(Unusual().eval(), "torch", inputs=(x,), verify=False).load()
    net(x).sum().backward()
    assert net.parts["first"].weight.grad is not None
    net.train()
    net(x).sum().backward()
    assert net.norm.num_batches_tracked == 2


NOTED: dict[str, tuple[Callable[..., Tensor], tuple[list[float], ...], str, tuple[str, ...]]] = {
    "maximum": (torch.maximum, ([1.0, 2.0], [1.0, 3.0]), "maximum or minimum", ("keras", "tensorflow")),
    "minimum": (torch.minimum, ([1.0, 2.0], [1.0, 3.0]), "maximum or minimum", ("keras", "tensorflow")),
    "atan2": (torch.atan2, ([0.0], [0.0]), "atan2", ("keras", "tensorflow")),
    "pow": (torch.pow, ([0.0], [0.0]), r"0 \*\* 0", ("keras", "tensorflow")),
    "hard sigmoid": (F.hardsigmoid, ([-3.0, 3.0],), "ends of its slope", ("keras", "tensorflow")),
    "hard swish": (F.hardswish, ([-3.0, 3.0],), "ends of its slope", ("keras", "tensorflow")),
    "written maximum": (
        lambda x, y: x.scatter_reduce(0, torch.tensor([0, 0]), y, "amax"), ([1.0], [2.0, 2.0]), "several times", ("keras",),
    ),
    "written maximum alone": (
        lambda x, y: x.scatter_reduce(0, torch.tensor([0, 0]), y, "amax", include_self=False), ([2.0], [2.0, 2.0]),
        "several times", ("keras", "tensorflow"),
    ),
}  # fmt: skip
"""Functions whose gradients differ at these operands, what the note says, and where."""


class Applied(nn.Module):
    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.function(x) if y is None else self.function(x, y)


@pytest.mark.parametrize("target", ["keras", "tensorflow"])
@pytest.mark.parametrize("name", NOTED)
def test_gradients_that_differ_are_told(name: str, target: str) -> None:
    function, numbers, words, where = NOTED[name]
    given = [torch.tensor(n, requires_grad=True) for n in numbers]
    wanted = torch.autograd.grad(function(*given).sum(), given, allow_unused=True)
    conversion = converter.convert(Applied(function), target, inputs=tuple(g.detach() for g in given), verify=False)
    operands = [tf.constant(n) for n in numbers]
    with tf.GradientTape() as tape:
        tape.watch(operands)
        total = tf.reduce_sum(conversion.load()(*operands))
    found = tape.gradient(total, operands, unconnected_gradients="zero")
    alike = all(np.array_equal(0 * n if w is None else w, f) for w, f, n in zip(wanted, found, operands, strict=True))
    assert alike == (target not in where)
    assert any(re.search(words, n) for n in conversion.report.notes) == (not alike)


def test_gradients_of_bounds_are_those_of_a_clamp() -> None:
    """A bound that is a tensor, or one alone, was a maximum, which takes half of the gradient away."""
    x = torch.tensor([1.0, 2.0, 0.0], requires_grad=True)
    bound = torch.tensor([1.0, 1.0, 0.0])
    for function in (
        lambda x: torch.clamp(x, bound, bound + 1), lambda x: torch.clamp_min(x, 1.0), lambda x: torch.clamp_max(x, bound),
        lambda x: torch.logit(x / 10, 0.1),
    ):  # fmt: skip
        wanted = torch.autograd.grad(function(x).sum(), x)[0]
        for target in ("torch", "tensorflow"):
            net = converter.convert(Applied(function), target, inputs=(x.detach(),), verify=False).load()
            if target == "torch":
                found = torch.autograd.grad(net(x).sum(), x)[0].numpy()
            else:
                variable = tf.Variable(x.detach().numpy())
                with tf.GradientTape() as tape:
                    total = tf.reduce_sum(net(tf.convert_to_tensor(variable)))
                found = tape.gradient(total, variable).numpy()
            np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_operands_that_are_alike_in_pytorch() -> None:
    function = tf.function(tf.maximum, input_signature=[tf.TensorSpec([2])] * 2)
    conversion = converter.convert(function, "torch", verify=False)
    assert any("each half of the gradient" in n for n in conversion.report.notes)
    own = converter.convert(function, "tensorflow", verify=False).report.notes
    assert not any("gradient" in n for n in own)


@pytest.mark.parametrize("target", ["torch", "keras", "tensorflow", "onnx"])
def test_windows_of_padding_alone(target: str, tmp_path: Path) -> None:
    """PyTorch's position is where its search began, which may be beyond the input; there was no answer, or another."""
    x = torch.randn(1, 2, 5, 3)
    source = Applied(lambda x: F.max_pool2d(x, 2, 1, (0, 1), (1, 4), return_indices=True)[1])
    wanted = source(x)
    assert int(wanted.max()) == 12
    conversion = converter.convert(source, target, tmp_path / f"out.{target}", inputs=(x,), verify=False)
    (found,) = converter.run(conversion.path, (x.numpy(),)).values()
    np.testing.assert_array_equal(found, wanted.numpy())
    (found,) = Evaluator("exact").run(conversion.model, {"x": x.numpy()}).values()
    np.testing.assert_array_equal(found, wanted.numpy())
