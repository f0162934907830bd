"""SavedModels that Keras exports: variables are in lists, and what is known of layers are scopes that TensorFlow counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import converter
from ir.eval import Evaluator
from tests.importers.tensorflow.agree import floats

keras = pytest.importorskip("keras")
layers = keras.layers


def block_of(filters: int) -> Any:
    class Block(layers.Layer):
        """Layers that a layer makes: their variables are named after it alone."""

        def __init__(self) -> None:
            super().__init__(name=f"block{filters}")
            self.conv = layers.Conv2D(filters, 3, padding="same", name="first")
            self.norm = layers.BatchNormalization(name="norm")
            self.last = layers.Conv2D(filters, 1, activation="relu", name="second")

        def call(self, x: Any) -> Any:
            return self.last(keras.ops.relu(self.norm(self.conv(x))))

    return Block()


def network() -> Any:
    return keras.Sequential(
        [layers.Input((8, 8, 3)), layers.Conv2D(4, 3, activation="relu", name="stem"), block_of(4), block_of(5),
         layers.GlobalMaxPooling2D(), layers.Dense(2, activation="softmax", name="head")], name="net",
    )  # fmt: skip


@pytest.mark.parametrize("times", [1, 2])
def test_names_are_those_of_layers(times: int, tmp_path: Path) -> None:
    """Also of a model that is built again, whose names TensorFlow counts."""
    net = [network() for _ in range(times)][-1]
    net.export(str(tmp_path / "net"), verbose=False)
    model = converter.load(tmp_path / "net")
    parts = [("first", "kernel bias"), ("norm", "gamma beta moving_mean moving_variance"), ("second", "kernel bias")]
    want = {f"net.stem.{v}" for v in ("kernel", "bias")} | {f"net.head.{v}" for v in ("kernel", "bias")}
    want |= {f"net.block{n}.{layer}.{v}" for n in (4, 5) for layer, names in parts for v in names.split()}
    assert {n for n, w in model.weights.items() if w.kind != "constant"} == want
    x = floats(2, 8, 8, 3)
    (got,) = Evaluator("exact").run(model, {next(iter(model.input_types)): x}).values()
    np.testing.assert_allclose(got, net(x), rtol=1e-4, atol=1e-5)


def test_layers_are_layers(tmp_path: Path) -> None:
    """An activation that ends a layer stands behind it, so that the layer is one that PyTorch has."""
    import torch

    network().export(str(tmp_path / "net"), verbose=False)
    made = converter.convert(tmp_path / "net", "torch", tmp_path / "out")
    assert made.report.verification.verdict == "equal"
    net = made.load().net
    convs = [net.stem, *(part for block in (net.block4, net.block5) for part in (block.first, block.second))]
    assert all(type(conv) is torch.nn.Conv2d for conv in convs) and type(net.head) is torch.nn.Linear
    assert isinstance(net.block4.norm, torch.nn.BatchNorm2d)


def test_reading_leaves_the_graph_as_it_is(tmp_path: Path) -> None:
    """TensorFlow does not run a graph with attributes that nobody gave."""
    net = keras.Sequential([layers.Input((4, 3)), layers.Bidirectional(layers.LSTM(2, return_sequences=True)), layers.GRU(3)])
    net.export(str(tmp_path / "net"), verbose=False)
    made = converter.convert(tmp_path / "net", "torch", tmp_path / "out")
    assert made.report.verification.verdict == "equal"
