"""Layers of Keras in modules that do more than call them, and layers whose weights are numbers of the graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")
pytest.importorskip("tensorflow")

import tensorflow as tf

import converter
from fixtures.tensorflow.base import Dense, near, signature, spec, weights


class Squashed(Dense):
    """A square dense layer and a function behind it: stored for the layer, it must be read by the layer."""

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(super().__call__(x))


class Net(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.squashed = Squashed(4, 4)
        self.fixed = tf.constant(np.arange(8.0, dtype=np.float32).reshape(4, 2))
        self.free, self.offset = weights(2, 2, name="free"), near(0, 2, name="offset")

    @signature(spec(None, 4))
    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return tf.matmul(tf.matmul(self.squashed(x), self.fixed), self.free) + self.offset


def test_layers(tmp_path: Path) -> None:
    net = Net()
    done = converter.convert(net, "keras", tmp_path / "out", verify=False)
    emitted = done.load()
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    np.testing.assert_allclose(emitted(x), net(x), rtol=1e-5, atol=1e-6)
    trained = sorted(v.shape.as_list() for v in net.trainable_variables)
    assert sorted(list(v.shape) for v in emitted.trainable_variables) == trained, "numbers of the graph do not train"
