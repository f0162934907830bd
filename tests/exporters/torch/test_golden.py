"""A small network built by hand: its source is a golden file, its training behaviour is torch's.

Set UPDATE_GOLDEN=1 to rewrite the file after a change that is meant.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch

from ir.core import Builder, Leaf, Model, Origin, Parameter, Scope, Signature, Value
from ir.data import Array, Weight
from ir.types import TensorType, dtypes, symbol
from tests.exporters.torch import package

GOLDEN = Path(__file__).parents[2] / "golden" / "torch" / "small_net.py"


class Maker:
    """Adds layers with weights and module paths."""

    def __init__(self) -> None:
        self.model = Model("SmallNet", Signature((Parameter("image", Leaf("image")),), Leaf("output")))
        self.b = Builder(self.model.graph)
        self.rng = np.random.default_rng(0)

    def weight(self, name: str, *shape: int, kind="parameter", trainable: bool = True) -> Value:
        data = self.rng.uniform(0.1, 1.0, shape).astype(np.float32)
        return self.model.add_weight(Weight(name, Array(data), kind, trainable if kind == "parameter" else None))

    def scope(self, *names: str) -> Origin:
        return Origin(path=tuple(Scope(*n.split(":")) for n in names))

    def conv_norm(self, x: Value, path: list[str], inp: int, out: int, trainable: bool) -> Value:
        name = ".".join(p.split(":")[0] for p in path)
        with self.b.at(self.scope(*path, "conv:Conv2d")):
            w = self.weight(f"{name}.conv.weight", out, inp, 3, 3, trainable=trainable)
            x = self.b.conv(x, w, strides=(1, 1), dilations=(1, 1), padding=((1, 1), (1, 1)))
        with self.b.at(self.scope(*path, "norm:BatchNorm2d")):
            affine = [self.weight(f"{name}.norm.{k}", out) for k in ("weight", "bias")]
            running = [self.weight(f"{name}.norm.running_{k}", out, kind="buffer") for k in ("mean", "var")]
            x, mean, var = self.b.batch_norm(x, *affine, *running, momentum=0.2)
            self.model.set_state(running[0].name, mean)
            self.model.set_state(running[1].name, var)
        return x

    def block(self, x: Value, name: str, inp: int, out: int, trainable: bool = True) -> Value:
        y = self.conv_norm(x, [f"{name}:Block"], inp, out, trainable)
        with self.b.at(self.scope(f"{name}:Block")):
            y = self.b.relu(y)
            return self.b.add(y, x) if inp == out else y


def small_net() -> Model:
    """Three blocks of one source class, two of them alike, the first with a frozen convolution."""
    make = Maker()
    x = make.model.graph.add_input(TensorType(dtypes.float32, (symbol("batch"), 3, 8, 8)), "image")
    y = make.block(x, "stem", 3, 4, trainable=False)
    y = make.block(y, "body1", 4, 4)
    y = make.block(y, "body2", 4, 4)
    y = make.b.max_pool(y, window=(2, 2), strides=(2, 2), dilations=(1, 1))
    y = make.b.flatten(y)
    with make.b.at(make.scope("drop:Dropout")):
        y = make.b.dropout(y, p=0.25)
    with make.b.at(make.scope("head:Linear")):
        y = make.b.linear(y, make.weight("head.weight", 5, 64), make.weight("head.bias", 5))
    make.model.graph.set_outputs([y])
    return make.model


def test_golden(tmp_path: Path) -> None:
    package.export(small_net(), tmp_path)
    text = (tmp_path / "model.py").read_text()
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(parents=True, exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_training(tmp_path: Path) -> None:
    """Running statistics move with the stated momentum, dropout draws, frozen parameters get no gradient."""
    net = package.export(small_net(), tmp_path).load_model()
    x = torch.randn(4, 3, 8, 8)
    frozen = {n for n, p in net.named_parameters() if not p.requires_grad}
    assert frozen == {"stem.conv.weight"}
    before = net.stem.norm.running_mean.clone()
    assert torch.equal(net(x), net(x)) and torch.equal(net.stem.norm.running_mean, before)
    net.train()
    batch = net.stem.conv(x).mean((0, 2, 3))
    net(x).sum().backward()
    torch.testing.assert_close(net.stem.norm.running_mean, 0.8 * before + 0.2 * batch)
    assert net.stem.conv.weight.grad is None and net.body1.conv.weight.grad is not None
    assert not torch.equal(net(x), net(x))
