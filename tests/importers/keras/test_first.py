"""A small model of each kind: sequential, functional with several inputs, nested, shared, subclassed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.importers.keras.harness import agree, resized

keras = pytest.importorskip("keras")
layers, ops = keras.layers, keras.ops
RNG = np.random.default_rng(0)


def test_sequential() -> None:
    net = keras.Sequential([
        keras.Input((8, 8, 3)), layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
        layers.BatchNormalization(name="norm"), layers.Dropout(0.5), layers.MaxPooling2D(), layers.GlobalAveragePooling2D(),
        layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    x = [RNG.standard_normal((2, 8, 8, 3)).astype("float32")]
    read = agree(net, x, resized(x, 0, 1), resized(x, 0, 5))
    assert sorted(read.state) == ["norm.moving_mean", "norm.moving_variance"]
    assert sum(w.data.numpy().size for w in read.parameters()) == sum(
        int(np.prod(v.shape)) for v in net.trainable_variables
    )


class Block(layers.Layer):
    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.steps = [layers.Dense(width, activation="tanh") for _ in range(2)]
        self.norm = layers.BatchNormalization()

    def build(self, shape):
        self.scale = self.add_weight(shape=(self.width,), initializer="ones")
        super().build(shape)

    def call(self, x, training=None):
        h = x
        for step in self.steps:
            h = step(h)
        positions = ops.arange(ops.shape(x)[0], dtype="float32")
        return self.norm(x + h * self.scale, training=training) + ops.expand_dims(positions, -1)


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.blocks = [Block(6), Block(6)]
        self.head = layers.Dense(2)

    def call(self, inputs, training=None):
        x = inputs["a"] + inputs["b"]
        for block in self.blocks:
            x = block(x, training=training)
        return {"logits": self.head(x), "features": (x, None)}


def test_subclassed() -> None:
    net = Net()
    spec = {"a": "float32[batch,6]", "b": "float32[batch,6]"}
    x = [RNG.standard_normal((3, 6)).astype("float32"), RNG.standard_normal((3, 6)).astype("float32")]
    read = agree(net, x, resized(x, 0, 1), inputs={"inputs": spec})
    assert {"blocks.0.steps.1.kernel", "blocks.1.scale", "head.bias"} <= set(read.weights)
    assert list(read.output_types) == ["logits", "features.0"]


def test_open_sizes() -> None:
    """Images of any size through windows, up again by bilinear interpolation, and joined with what was before."""
    inputs = keras.Input((None, None, 2))
    x = layers.MaxPooling2D(2)(layers.Conv2D(3, 3, padding="same", activation="relu")(inputs))
    x = layers.UpSampling2D(interpolation="bilinear")(x)
    net = keras.Model(inputs, layers.Concatenate()([x, inputs]))
    read = agree(net, *([RNG.standard_normal((2, h, w, 2)).astype("float32")] for h, w in ((4, 6), (2, 2), (8, 10))))
    assert len([a for a in read.assumptions if "2" in str(a)]) == 2, "both sizes must be even"


class Cut(keras.Model):
    def call(self, x):
        return x[:, :1000] if ops.shape(x)[1] > 1000 else x * 2.0


def test_compared_sizes_are_assumptions() -> None:
    """A branch that neither reading takes: what is written holds for the sizes of the other one, and says so."""
    x = RNG.standard_normal((2, 5)).astype("float32")
    read = agree(Cut(), [x], inputs=["float32[batch,length]"])
    (assumed,) = read.assumptions
    assert assumed.relation[1:] == ("<=", 1000) and str(assumed.relation[0]) == "length"


class Several(keras.Model):
    def call(self, *xs, training=None):
        return xs[0] - xs[1] * xs[2]


class Keyed(keras.Model):
    def call(self, **parts):
        return parts["a"] - parts["b"]


def test_any_number_of_inputs() -> None:
    x = [RNG.standard_normal(4).astype("float32") for _ in range(3)]
    read = agree(Several(), x, inputs=("float32[n]",) * 3)
    assert list(read.input_types) == ["xs_0", "xs_1", "xs_2"]
    read = agree(Keyed(), x[:2], inputs={"a": "float32[n]", "b": "float32[n]"})
    assert all(p.keyword_only for p in read.signature.parameters)
