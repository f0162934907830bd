"""Keras to PyTorch and back, and Keras to Keras: the same layers, the same weights bit for bit, the same results, and the
same statistics after a call of training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import converter

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytest.importorskip("torch")
layers = keras.layers


def images() -> tuple[Any, np.ndarray]:
    """Convolutions of every kind, batch norms with and without scale and offset, pooling, fused activations."""
    x = inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(momentum=0.9)(layers.Conv2D(4, 3, padding="same", use_bias=False)(x))
    x = layers.SeparableConv2D(6, 3, activation="relu")(layers.Activation("relu")(x))
    x = layers.DepthwiseConv2D(3, padding="same")(layers.BatchNormalization(scale=False)(x))
    x = layers.MaxPooling2D()(layers.BatchNormalization(center=False)(x))
    x = layers.Conv2DTranspose(4, 2, strides=2)(layers.GroupNormalization(2)(x))
    x = layers.AveragePooling2D(2)(layers.BatchNormalization(center=False, scale=False)(x))
    x = layers.Dense(5, activation="gelu")(layers.Flatten()(x))
    net = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    return net, np.random.default_rng(0).standard_normal((4, 8, 8, 3)).astype("float32")


def recurrent() -> tuple[Any, np.ndarray]:
    """Sequences of any length."""
    x = inputs = keras.Input((None,), dtype="int32")
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(layers.Embedding(11, 6)(x))
    x = layers.LSTM(5, return_sequences=True)(x)
    x = layers.Bidirectional(layers.GRU(3, return_sequences=True))(x)
    x = layers.GRU(4, return_sequences=True, go_backwards=True)(x)
    x = layers.Bidirectional(layers.LSTM(4))(x)
    net = keras.Model(inputs, layers.Dense(3)(x))
    return net, np.random.default_rng(1).integers(0, 11, (4, 5)).astype("int32")


def transformer() -> tuple[Any, np.ndarray]:
    """A block of attention."""
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(11, 8)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    h = layers.Dense(8)(layers.Dropout(0.1)(layers.Dense(16, activation="gelu")(x)))
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x + h))
    return keras.Model(inputs, layers.Dense(5)(x)), np.random.default_rng(2).integers(0, 11, (4, 6)).astype("int32")


KINDS = {
    images: "Conv2D DepthwiseConv2D Conv2D DepthwiseConv2D GroupNormalization Conv2DTranspose Dense Dense"
    + 4 * " BatchNormalization",
    recurrent: "Embedding Bidirectional LSTM LSTM LSTM Bidirectional GRU GRU GRU Bidirectional LSTM LSTM Dense",
    transformer: "Embedding LayerNormalization Dense Dropout Dense LayerNormalization Dense",
}
"""Keras' own layers of the way back: a separable convolution comes back as the two that it is, attention as a class."""


@pytest.mark.parametrize("build", KINDS, ids=lambda f: f.__name__)
def test_round_trip(build: Callable[[], tuple[Any, np.ndarray]], tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    net, x = build()
    rng = np.random.default_rng(5)
    for variable in net.weights:
        if "seed" not in variable.path:
            variable.assign(0.3 * rng.standard_normal(variable.shape) + 1.5 * ("variance" in variable.path))
    there = converter.convert(net, to="torch", output=tmp_path / "there", verify=False)
    back = converter.convert(there.path, to="keras", output=tmp_path / "back", verify=False)
    straight = converter.convert(net, to="keras", output=tmp_path / "straight", verify=False)
    want, bits = np.asarray(net(x)), _bits(net)
    for result in (back, straight):
        assert not any("inference" in note or "training" in note for note in result.report.notes), result.report.notes
        again = result.load()
        assert _bits(again) == bits
        np.testing.assert_allclose(np.asarray(again(x)), want, rtol=1e-6, atol=1e-6)
        assert len(again.trainable_variables) == len(net.trainable_variables)
        own = Counter(type(layer).__name__ for layer in _layers(again))
        assert own == Counter(KINDS[build].split()), own
    if build is images:
        again = back.load()
        for one in (net, again):
            one(x, training=True)
        assert _bits(net) != bits, "statistics move"
        assert _bits(again, digits=5) == _bits(net, digits=5)


def _bits(net: Any, digits: int | None = None) -> Counter[tuple[Any, ...]]:
    """Shape and bytes of each weight, or its rounded numbers."""
    arrays = [np.asarray(v) for v in net.weights if "seed" not in v.path]
    kept = arrays if digits is None else [np.round(a, digits) + 0.0 for a in arrays]
    return Counter((a.shape, a.tobytes()) for a in kept)


def _layers(net: Any) -> list[Any]:
    """Keras' own layers that have weights or draw random numbers, cells apart."""
    found = [
        layer
        for layer in net._flatten_layers(include_self=False)
        if type(layer) is getattr(layers, type(layer).__name__, None)
    ]
    return [layer for layer in found if layer.variables and not type(layer).__name__.endswith("Cell")]
