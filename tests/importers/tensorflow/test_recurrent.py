"""Loops of Keras' recurrent layers are LSTM and GRU where they are just these, and scans otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("keras")
import tensorflow as tf
from keras import Input, Model, layers

from ir.eval import Evaluator
from tests.importers.tensorflow.harness import array, load

X = array(2, 5, 3)


def _checked(call: Callable[..., Any], *more: np.ndarray) -> Any:
    """What was read of a function of an open number of steps (and samples, unless states are given), which computes what
    TensorFlow does."""
    specs = [tf.TensorSpec([2 if more else None, None, 3], "float32", "x")]
    specs += [tf.TensorSpec(a.shape, "float32", f"y{i}") for i, a in enumerate(more)]
    model = load(tf.function(call).get_concrete_function(*specs))
    for steps in (5, 1):
        given = [X[:, :steps], *more]
        want = tf.nest.flatten(call(*(tf.constant(a) for a in given)))
        got = Evaluator("exact").run(model, dict(zip(model.input_types, given, strict=True))).values()
        for mine, theirs in zip(got, want, strict=True):
            np.testing.assert_allclose(mine, theirs.numpy(), 1e-5, 1e-5)
    return model


def _made(layer: Any) -> Any:
    """The layer with random weights."""
    given = Input((None, 3))
    Model(given, layer(given))
    for i, weight in enumerate(layer.weights):
        weight.assign(array(*weight.shape, low=-0.7, high=0.7, seed=i))
    return layer


def _kinds(model: Any) -> list[str]:
    return [n.op.name for n in model.graph if n.op.name in ("lstm", "gru", "scan", "while")]


@pytest.mark.parametrize("every", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_layers(kind: str, bias: bool, every: bool) -> None:
    layer = _made(getattr(layers, kind)(4, return_sequences=every, use_bias=bias))
    model = _checked(lambda x: layer(x))
    (node,) = [n for n in model.graph if n.op.name == kind.lower()]
    assert _kinds(model) == [kind.lower()] and node.attrs["batch_first"] and node.attrs["bias"] == bias
    trained = sum(np.prod([int(d) for d in w.type.shape]) for w in model.weights.values() if w.trainable)
    assert trained == layer.count_params()


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_states_and_backwards(kind: str) -> None:
    layer = _made(getattr(layers, kind)(4, return_sequences=True, return_state=True, go_backwards=True))
    states = [array(2, 4, seed=k) for k in range(2 if kind == "LSTM" else 1)]
    assert _kinds(_checked(lambda x, *given: layer(x, initial_state=list(given)), *states)) == [kind.lower()]


def test_both_directions() -> None:
    layer = _made(layers.Bidirectional(layers.LSTM(4, return_sequences=True)))
    assert _kinds(_checked(lambda x: layer(x))) == ["lstm", "lstm"]


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.LSTM(4, activation="relu"),
        lambda: layers.LSTM(4, recurrent_activation="hard_sigmoid"),
        lambda: layers.GRU(4, reset_after=False),
        lambda: layers.SimpleRNN(4),
    ],
)
def test_other_cells_stay(layer: Callable[[], Any]) -> None:
    made = _made(layer())
    assert _kinds(_checked(lambda x: made(x))) == ["scan"]


def test_states_with_a_last_output_stay() -> None:
    """Without a step Keras gives zeros for the last output, and the layer its state."""
    layer = _made(layers.GRU(4))
    assert _kinds(_checked(lambda x, h: layer(x, initial_state=h), array(2, 4))) == ["scan"]


def test_a_weight_of_two_loops_stays() -> None:
    layer = _made(layers.LSTM(4, return_sequences=True))
    assert _kinds(_checked(lambda x: layer(x) + layer(x * 2.0))) == ["scan", "scan"]


def test_gates_in_another_order_stay() -> None:
    kernel, recurrent = tf.Variable(array(3, 16)), tf.Variable(array(4, 16, seed=1))

    def call(x: Any) -> Any:
        h, c = tf.zeros([tf.shape(x)[0], 4]), tf.zeros([tf.shape(x)[0], 4])
        steps = tf.TensorArray("float32", tf.shape(x)[1], element_shape=[None, 3]).unstack(tf.transpose(x, [1, 0, 2]))
        for t in tf.range(tf.shape(x)[1]):
            f, i, g, o = tf.split(steps.read(t) @ kernel + h @ recurrent, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
        return h

    assert _kinds(_checked(call)) == ["scan"]
