"""Three steps of SGD on one batch, in Keras and in the PyTorch that was written of it: same losses, same weights after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
torch = pytest.importorskip("torch")

RATE, STEPS = 0.05, 3


def _cnn() -> tuple[Any, np.ndarray]:
    layers = keras.layers
    net = keras.Sequential([
        keras.Input((8, 8, 3)), layers.Conv2D(6, 3, padding="same", use_bias=False), layers.BatchNormalization(),
        layers.ReLU(), layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"), layers.Flatten(),
        layers.Dropout(0.0), layers.Dense(5),
    ])  # fmt: skip
    return net, np.random.default_rng(0).standard_normal((6, 8, 8, 3)).astype("float32")


def _lstm() -> tuple[Any, np.ndarray]:
    layers = keras.layers
    net = keras.Sequential([
        keras.Input((7,), dtype="int32"), layers.Embedding(11, 6), layers.LSTM(5, return_sequences=True), layers.LSTM(4),
        layers.Dense(5),
    ])  # fmt: skip
    return net, np.random.default_rng(1).integers(0, 11, (6, 7)).astype("int32")


def _transformer() -> tuple[Any, np.ndarray]:
    layers = keras.layers
    x = inputs = keras.Input((6, 8))
    h = layers.MultiHeadAttention(2, 4)(x, x)
    x = layers.LayerNormalization()(x + h)
    h = layers.Dense(8)(layers.Dense(16, activation="gelu")(x))
    x = layers.LayerNormalization()(x + h)
    outputs = layers.Dense(5)(layers.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, outputs), np.random.default_rng(2).standard_normal((6, 6, 8)).astype("float32")


@pytest.mark.parametrize("build", [_cnn, _lstm, _transformer])
def test_steps_agree(build: Any, tmp_path: Path) -> None:
    import converter
    from converter.importers.keras.checkpoint import checkpoint_names

    keras.utils.set_random_seed(0)
    net, x = build()
    labels = np.arange(len(x)) % 5
    written = converter.convert(net, to="torch", output=tmp_path / "out", verify=False)
    emitted = written.load()
    ours = _torch_steps(emitted, x, labels)
    theirs = _keras_steps(net, x, labels)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5)
    assert theirs[0] - theirs[-1] > 1e-3, "the steps do something"
    names = checkpoint_names(net)
    records = _records(tmp_path / "out")
    own = {**dict(emitted.named_parameters()), **dict(emitted.named_buffers())}
    fresh = written.load()
    net.save_weights(tmp_path / "steps.weights.h5")
    _module_of(fresh).load_source_weights(fresh, tmp_path / "steps.weights.h5")
    again = {**dict(fresh.named_parameters()), **dict(fresh.named_buffers())}
    compared = 0
    for variable in net.variables:
        if "seed" in variable.path:
            continue
        target, record = records[names[id(variable)]]
        want = _placed(np.asarray(variable), record)
        np.testing.assert_allclose(own[target].detach().numpy(), want, rtol=1e-4, atol=2e-6, err_msg=target)
        np.testing.assert_array_equal(again[target].detach().numpy(), want, err_msg=target)
        compared += 1
    assert compared == len(net.weights)


def _module_of(net: Any) -> Any:
    """The module that defines an emitted model."""
    import sys

    return sys.modules[type(net).__module__]


def _records(folder: Path) -> dict[str, tuple[str, Any]]:
    """Name in the source -> name in the package, and its record."""
    from converter.runtimes.packages import read_metadata

    return {record["source"]: (name, record) for name, record in read_metadata(folder)["weights"].items()}


def _placed(array: np.ndarray, record: Any) -> np.ndarray:
    """A weight of the source as the package's record says that it lies there."""
    if "blocks" in record:
        blocks = record["blocks"]
        positions = np.arange(np.prod(blocks["sizes"])).reshape(blocks["sizes"]).transpose(blocks["order"]).ravel()
        array = np.take(array, positions, blocks["axis"])
    return array.transpose(record["axes"]) if "axes" in record else array


def _torch_steps(net: Any, x: np.ndarray, labels: np.ndarray) -> list[float]:
    losses = []
    optimizer = torch.optim.SGD(net.parameters(), RATE)
    net.train()
    for _ in range(STEPS):
        loss = torch.nn.functional.cross_entropy(net(torch.from_numpy(x)), torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def _keras_steps(net: Any, x: np.ndarray, labels: np.ndarray) -> list[float]:
    losses = []
    for _ in range(STEPS):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, net(x, training=True)))
        variables = net.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(loss, [v.value for v in variables])):
            variable.assign_sub(RATE * tf.convert_to_tensor(gradient))
        losses.append(float(loss))
    return losses
