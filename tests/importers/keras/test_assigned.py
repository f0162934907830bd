"""Variables that a call assigns before it reads them: values and gradients are those of the backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from keras import layers as L

import converter
from tests.exporters.torch import package

X = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)


class Codebook(L.Layer):
    """A buffer that moves with the batch and is read afterwards."""

    def build(self, shape: Any) -> None:
        self.codes = self.add_weight(shape=(shape[-1],), initializer="ones", trainable=False, name="codes")

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            self.codes.assign(0.5 * self.codes + 0.5 * keras.ops.mean(x, axis=0))
        return x * self.codes


class Decay(L.Layer):
    """A kernel that a layer has used already, and uses again; a square one has the shape of its transpose."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.dense = L.Dense(units)

    def call(self, x: Any, training: bool = False) -> Any:
        first = self.dense(x)
        if training:
            self.dense.kernel.assign(self.dense.kernel * 0.5)
        return first + 2 * self.dense(x)


MODELS = {
    "decay": lambda: [Decay(3)],
    "square decay": lambda: [Decay(5)],
    "spectral dense": lambda: [L.SpectralNormalization(L.Dense(3, name="inner"))],
    "spectral conv": lambda: [L.Reshape((5, 1)), L.SpectralNormalization(L.Conv1D(2, 2)), L.Flatten()],
    "codebook": lambda: [L.Dense(4), Codebook(), L.Dense(2)],
}


@pytest.mark.parametrize("name", MODELS)
def test_gradients(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.Input((5,)), *MODELS[name]()])
    converter.convert(net, "torch", tmp_path / "out", inputs=["float32[n,5]"])
    emitted = package.load(tmp_path / "out").load_model().train()
    with tf.GradientTape() as tape:
        wanted = net(X, training=True)
        loss = tf.reduce_sum(tf.square(wanted) + wanted)
    gradients = tape.gradient(loss, net.trainable_variables)
    got = emitted(torch.from_numpy(X))
    np.testing.assert_allclose(got.detach().numpy(), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    (got.square() + got).sum().backward()
    found = sorted((g.numpy().ravel() for g in gradients), key=lambda g: g.size)
    mine = sorted((p.grad.numpy().ravel() for p in emitted.parameters()), key=lambda g: g.size)
    for a, b in zip(mine, found, strict=True):  # kernels are turned: as sets of numbers
        np.testing.assert_allclose(np.sort(a), np.sort(b), rtol=0, atol=2e-5 * np.abs(b).max())
    left = emitted.eval()(torch.from_numpy(X)).detach().numpy()  # by what the call has assigned
    np.testing.assert_allclose(left, net(X, training=False), rtol=0, atol=1e-5 * np.abs(left).max())
