"""Whole networks from PyTorch: the code that is written, the same numbers and an epoch of `fit` on each backend."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import converter
from converter.runtimes.packages import BACKENDS
from tests.exporters.keras.backends import backend
from tests.exporters.nets import Cnn, Transformer
from tests.warm import SERVERS, python

SHAPES = {"cnn": ["float32[batch,3,16,16]"], "transformer": ["int64[batch,length]"]}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[torch.nn.Module, Path]]:
    """Network and package by name."""
    folder = tmp_path_factory.mktemp("keras")
    torch.manual_seed(0)
    nets = {"cnn": Cnn().eval(), "transformer": Transformer().eval()}
    for name, net in nets.items():
        converter.convert(net, to="keras", output=folder / name, inputs=SHAPES[name], verify=False)
    return {name: (net, folder / name) for name, net in nets.items()}


def data(name: str, count: int, length: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets."""
    rng = np.random.default_rng(3)
    if name == "cnn":
        return rng.standard_normal((count, 3, 16, 16)).astype(np.float32), rng.integers(0, 5, count)
    return rng.integers(0, 11, (count, length)), rng.integers(0, 11, (count, length))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("on", BACKENDS)
def test_numbers(packages, name: str, on: str) -> None:
    net, folder = packages[name]
    parameter = next(iter(json.loads((folder / "metadata.json").read_text())["inputs"]))
    for count, length in ((3, 6), (2, 9)):  # sizes vary
        x, _ = data(name, count, length)
        with torch.no_grad():
            want = net(torch.from_numpy(x)).numpy()
        (got,) = backend(on).run(folder, {parameter: x}).values()
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("on", BACKENDS)
def test_fit(packages, name: str, on: str, tmp_path: Path) -> None:
    net, folder = packages[name]
    x, y = data(name, 12)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    script = Path(__file__).with_name("fit.py")
    done = python(SERVERS[on], "-I", script, folder, tmp_path / "data.npz", environment={"KERAS_BACKEND": on})
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["losses"][1] < found["losses"][0]
    trained = sum(p.requires_grad for p in net.parameters())
    assert found["trainable"] == trained == found["changed"]
    assert found["restored"]
    statistics = sum(k.endswith(("mean", "var")) for k in net.state_dict())
    dropouts = 0 if on == "torch" else {"cnn": 1, "transformer": 2}[name]  # PyTorch counts its draws itself
    assert found["moved"] == statistics + dropouts, "statistics, and the state of each generator of random numbers"
    assert found["fitted"] == statistics + dropouts, "on JAX, Keras hands `training` on to nobody: layers are given it"


def test_code(packages) -> None:
    source = (packages["cnn"][1] / "model.py").read_text()
    assert 'self.conv2 = layers.Conv2D(4, 3, padding="same", use_bias=False)' in source
    assert "layers.BatchNormalization(momentum=0.9, epsilon=1e-05)" in source
    assert "self.layers_ = keras.Sequential(" in source, "`layers` is Keras' own"
    assert source.count("ops.transpose") == 1, "the caller's channels are first, nothing else turns"
    source = (packages["transformer"][1] / "model.py").read_text()
    assert "self.blocks = [Layer() for _ in range(2)]" in source
    assert "dropout=self.dropout, training=training" in source, "random numbers are a layer's"
    assert "block(tokens, training=training)" in source or "x = block(x, training=training)" in source
    assert "self.tokens.embeddings" in source and "layers.Dense(11" not in source, "a tied table stays one variable"
    assert '"positions.embeddings",' in source.partition("FROZEN")[2]
