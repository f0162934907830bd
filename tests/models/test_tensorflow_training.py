"""A vision transformer as a SavedModel arrives with all its parameters, trainable, in PyTorch and in Keras; three steps of
SGD there end where TensorFlow's do."""

from __future__ import annotations

import functools
import math
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytest.importorskip("torch")

import tensorflow as tf
import torch

import converter
from converter.runtimes.packages import read_metadata
from fixtures.tensorflow.base import seeded
from fixtures.tensorflow.vision import VisionTransformer, small_vit, vit_base

STEPS, BATCH = 3, 2
MARGIN, LEAST = 4.0, 4.0
"""How many noise floors a number may be away, and how many units of rounding the floor is at least."""
EPS = float(np.finfo(np.float32).eps)

Arrays = dict[str, np.ndarray]


@dataclass
class Vit:
    """The model, the file it is saved in, its variables by the names they have there, a batch, a rate."""

    net: VisionTransformer
    file: Path
    variables: dict[str, Any]
    x: np.ndarray
    wanted: np.ndarray
    rate: float

    def start(self) -> Arrays:
        """The numbers it is saved with."""
        return {name: v.numpy() for name, v in self.variables.items()}

    def steps(self, start: Arrays) -> tuple[list[float], Arrays]:
        """Losses, and the weights after the last step."""
        for name, array in start.items():
            self.variables[name].assign(array)
        losses = tensorflow_steps(lambda: self.net(self.x), self.net.trainable_variables, self.wanted, self.rate)
        return losses, self.start()


FOLDER = tempfile.TemporaryDirectory(prefix="vit-")


@functools.cache
def vit(size: str) -> tuple[Vit, Arrays, list[float], Arrays, list[float], Arrays]:
    """The model; its weights at the start; losses and weights after its steps, and after steps from weights that are moved
    by one unit of rounding each: how far those end apart is the noise."""
    with seeded():
        net = small_vit() if size == "small" else vit_base()
    rng = np.random.default_rng(0)
    (shape,) = (s.shape for s in net.call.input_signature)
    x = rng.standard_normal((BATCH, *shape[1:])).astype(np.float32)
    named = {".".join(map(str, path)): v for path, v in net._flatten(with_path=True, predicate=_is_variable)}
    wanted = rng.standard_normal(net(x).shape).astype(np.float32)
    file = Path(FOLDER.name) / size
    tf.saved_model.save(net, str(file), signatures=net.call.get_concrete_function())
    found = Vit(net, file, named, x, wanted, 0.1 if size == "small" else 0.5)
    start = found.start()
    moved = {n: (a * (1 + EPS * rng.choice((-1, 1), a.shape))).astype(np.float32) for n, a in start.items()}
    return found, start, *found.steps(start), *found.steps(moved)


def _is_variable(item: Any) -> bool:
    return isinstance(item, tf.Variable)


def tensorflow_steps(call: Callable[[], Any], variables: Any, wanted: np.ndarray, rate: float) -> list[float]:
    """Steps of SGD with TensorFlow's gradients."""
    losses = []
    for _ in range(STEPS):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(call() - wanted))
        values = [getattr(v, "value", v) if not isinstance(v, tf.Variable) else v for v in variables]
        for variable, gradient in zip(variables, tape.gradient(loss, values), strict=True):
            variable.assign_sub(rate * tf.convert_to_tensor(gradient))
        losses.append(float(loss))
    return losses


def torch_steps(net: Any, model: Vit) -> list[float]:
    """The same with PyTorch's."""
    optimizer = torch.optim.SGD(net.parameters(), model.rate)
    losses = []
    for _ in range(STEPS):
        (found,) = net(x=torch.from_numpy(model.x)).values()
        loss = torch.nn.functional.mse_loss(found, torch.from_numpy(model.wanted))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def keras_steps(net: Any, model: Vit) -> list[float]:
    """The same in Keras."""
    return tensorflow_steps(
        lambda: next(iter(net(x=model.x).values())), net.trainable_variables, model.wanted, model.rate
    )


def counted(net: Any) -> int:
    """How many numbers the framework trains."""
    if isinstance(net, torch.nn.Module):
        return sum(p.numel() for p in net.parameters() if p.requires_grad)
    return sum(math.prod(v.shape) for v in net.trainable_variables)


@pytest.mark.parametrize("size", ["small", pytest.param("base", marks=pytest.mark.models)])
@pytest.mark.parametrize("to", ["torch", "keras"])
def test_steps_agree(to: str, size: str, tmp_path: Path) -> None:
    model, start, losses, after, other_losses, other = vit(size)
    done = converter.convert(model.file, to, tmp_path / "out", verify=size == "small")
    net = done.load()
    records = read_metadata(done.path)["weights"]
    by_source = {record["source"]: (name, record) for name, record in records.items()}
    assert set(by_source) == set(start) and all(r["trainable"] for r in records.values())
    assert counted(net) == sum(a.size for a in start.values())
    if size == "base":
        assert counted(net) == 85_798_656
    found = torch_steps(net.train(), model) if to == "torch" else keras_steps(net, model)
    assert losses[0] - losses[-1] > 1e-3 * losses[0], "the steps do something"
    floor = max(abs(a - b) for a, b in zip(losses, other_losses))
    np.testing.assert_allclose(found, losses, rtol=0, atol=MARGIN * max(floor, LEAST * EPS * losses[0]))
    seen = sum(_same(name, _held(net, *by_source[name]), start, after, other) for name in start)
    assert seen >= 0.75 * len(start), "most weights move by far more than the noise"


def _held(net: Any, name: str, record: Any) -> np.ndarray:
    """A weight as the source keeps it."""
    variable = net.get_parameter(name) if isinstance(net, torch.nn.Module) else _find(net, name)
    array = variable.detach().numpy() if isinstance(variable, torch.Tensor) else np.asarray(variable)
    return array.transpose(np.argsort(record["axes"])) if "axes" in record else array


def _find(net: Any, name: str) -> Any:
    return sys.modules[type(net).__module__].find(net, name)


def _same(name: str, found: np.ndarray, start: Arrays, after: Arrays, other: Arrays) -> bool:
    """Assert that a weight ends where the source's does; whether it moved by far more than may differ."""
    floor = max(float(np.abs(after[name] - other[name]).max()), LEAST * EPS * float(np.abs(start[name]).max()))
    assert found.shape == after[name].shape, name
    np.testing.assert_allclose(found, after[name], rtol=0, atol=MARGIN * floor, err_msg=name)
    return float(np.abs(after[name] - start[name]).max()) > 10 * MARGIN * floor
