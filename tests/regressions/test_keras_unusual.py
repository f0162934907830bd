"""Keras models of unusual make, each against Keras itself, in inference and in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

pytest.importorskip("keras")
import keras
from keras import layers, ops

import converter
from converter.errors import ConversionError
from converter.importers.keras import load
from converter.importers.keras.context import saturates
from converter.verification.again import MOST
from converter.verification.run import CASES
from ir.core import Model
from ir.eval import Evaluator
from ir.types import dtype, dtypes
from tests.importers.keras.harness import agree
from tests.importers.keras.layer_case import keras_answer
from tests.ops.harness import assert_close

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


def trained(model: Any, read: Model, arrays: list[np.ndarray]) -> int:
    """One call in training agrees too, with the variables that it moves; how many those are."""
    want, moved = keras_answer(model, read, arrays, training=True)
    got, state = Evaluator("exact", training=True).run_with_state(
        read, dict(zip(read.input_types, arrays, strict=True))
    )
    for name, array in [*want.items(), *moved]:
        found = got[name] if name in want else state[name]
        assert found.dtype == array.dtype and found.shape == array.shape, name
        assert_close(found, array, dtype(array.dtype))
    return len(moved)


class Gate(layers.Layer):
    """The largest two of each row, through a learned matrix; counts its calls in training and adds to the loss."""

    def build(self, shape: Any) -> None:
        self.w = self.add_weight(shape=(shape[-1], shape[-1]), initializer="glorot_uniform")
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x: Any, training: bool | None = None) -> Any:
        y = ops.einsum("btc,cd->btd", x, self.w)
        y = ops.where(y >= ops.top_k(y, 2)[0][..., -1:], y, 0.0)
        if training:
            self.calls.assign_add(1.0)
        self.add_loss(ops.mean(y))
        return y / (1e-3 + ops.norm(y, axis=-1, keepdims=True)) + self.calls


def test_a_layer_that_counts_and_adds_to_the_loss() -> None:
    """Adding to the loss was refused; the term is told in a note, since no loss is written."""
    given = keras.Input((None, 6))
    model = keras.Model(given, Gate(name="gate")(given))
    read = agree(model, [floats(2, 5, 6)], [floats(3, 2, 6)])
    assert any("gate adds (add_loss)" in note for note in read.notes)
    assert trained(model, read, [floats(2, 5, 6)]) == 1


def test_steps_that_a_mask_passes_by() -> None:
    """A mask that the layer inside does not take was a reason to refuse an open number of steps."""
    given = keras.Input((None, 4))
    x = floats(3, 5, 4)
    x[0, 3:], x[1] = 0, 0
    h = layers.LSTM(4, return_sequences=True)(layers.Masking()(given))
    h = layers.TimeDistributed(layers.LayerNormalization())(layers.TimeDistributed(layers.Dense(3))(h))
    agree(keras.Model(given, layers.GRU(2)(h)), [x], [x[:, :2]])


def test_two_directions_of_different_layers() -> None:
    given = keras.Input((None, 4))
    back = layers.GRU(3, return_sequences=True, go_backwards=True)
    h = layers.Bidirectional(layers.LSTM(3, return_sequences=True), backward_layer=back, merge_mode="mul")(given)
    agree(keras.Model(given, h), [floats(2, 5, 4)], [floats(1, 3, 4)])


def test_one_layer_called_in_both_modes() -> None:
    """Frozen in one call and training in the other; states of a nested model that two inputs go through."""
    given, other = keras.Input((4,)), keras.Input(batch_shape=(2, 4, 3))
    norm = layers.BatchNormalization()
    inner = keras.Sequential([layers.LSTM(3, stateful=True, return_sequences=True), layers.GRU(2, stateful=True)])
    sequence = keras.Input(batch_shape=(2, 4, 3))
    model = keras.Model(
        [given, other, sequence], [norm(layers.Dense(4)(norm(given, training=False))), inner(other), inner(sequence)]
    )
    norm.moving_mean.assign(floats(4))
    arrays = [floats(2, 4), floats(2, 4, 3), floats(2, 4, 3)]
    read = load(model, arrays)
    assert trained(model, read, arrays) == 5


class Control(layers.Layer):
    """A branch, loops of each kind and a choice, over the rows of its input."""

    def build(self, shape: Any) -> None:
        self.w = self.add_weight(shape=(4, 4))

    def call(self, x: Any) -> Any:
        a = ops.cond(ops.sum(x) > 0, lambda: ops.matmul(x, self.w), lambda: x - 1.0)
        n, b = ops.while_loop(
            lambda n, v: ops.logical_and(n < 5, ops.max(v) < 50.0), lambda n, v: (n + 1, v * 1.5 + 0.1), (0, ops.abs(x))
        )
        last, _ = ops.scan(lambda c, row: (c * 0.5 + row, ops.sin(c)), ops.zeros_like(x[:, 0]), ops.transpose(x))
        c = ops.map(lambda row: ops.cumsum(row) * ops.max(row), x)
        d = ops.vectorized_map(lambda row: ops.softmax(row) - ops.mean(self.w[0]), x)
        e = ops.fori_loop(0, 3, lambda k, v: v + ops.cast(k, "float32") * a, x)
        f = ops.switch(ops.argmax(x[0]), [lambda v: v, lambda v: v * 2, lambda v: -v, lambda v: v + 1], x)
        return ops.stack([a, b + ops.cast(n, "float32"), c, d, e, f], axis=-1) + last[:, None, None]

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor((*x.shape, 6))


def test_control_flow() -> None:
    given = keras.Input((4,))
    agree(keras.Model(given, Control()(given)), [floats(3, 4)], [-abs(floats(2, 4))], [floats(5, 4) * 20])


def test_floats_beyond_an_integer_type_are_told() -> None:
    """TensorFlow takes them for the limits of a narrow type or keeps the low bits, by where they stand; JAX takes them for the
    limits of every type, and PyTorch of none."""
    given = keras.Input((4,))
    for kind, told in (("int8", True), ("int32", False)):
        read = load(keras.Model(given, ops.cast(given, kind)), [floats(2, 4)])
        assert any(f"a float that {kind} does not hold" in note for note in read.notes) is told
    for on, wide, narrow in (("jax", True, True), ("torch", False, False)):
        with mock.patch("keras.config.backend", return_value=on):
            assert (saturates(dtypes.int32), saturates(dtypes.int8)) == (wide, narrow)


def test_open_sizes_that_must_be_equal_have_names() -> None:
    """Every open size is one of its own, unless the specs say otherwise; the refusal tells so."""
    query, value, mask = keras.Input((None, 6)), keras.Input((None, 6)), keras.Input((None, None), dtype="bool")
    attend = layers.MultiHeadAttention(2, 3)
    model = keras.Model(
        [query, value, mask], attend(query, value, attention_mask=mask, return_attention_scores=True)[0]
    )
    keep = RNG.random((2, 3, 4)) > 0.4
    keep[..., 0] = True
    agree(model, [floats(2, 3, 6), floats(2, 4, 6), keep], inputs=["float32[b,n,6]", "float32[b,m,6]", "bool[b,n,m]"])
    with pytest.raises(ConversionError, match="give the inputs as specs that name them alike"):
        load(model, None)


@pytest.mark.parametrize("on", ["tensorflow", "jax", "torch"])
def test_states_of_layers_behind_one_another(on: str, tmp_path: Path) -> None:
    """A written loop takes its states as a list of one: TensorFlow stacks no variables of Keras."""
    given = keras.Input(batch_shape=(2, 4, 3))
    h = layers.GRU(3, stateful=True)(layers.LSTM(3, stateful=True, return_sequences=True)(given))
    model = keras.Model(given, h)
    converter.convert(model, "keras", tmp_path / "out", verify=False)
    found = converter.verify(model, tmp_path / "out", provider=on)
    assert found.passed, found.summary()
    assert len(found.cases) == CASES + MOST  # second calls go on from the states of the first


@pytest.mark.parametrize("saved", [False, True])
def test_variables_of_tensorflow_go_on_where_they_stopped(saved: bool, tmp_path: Path) -> None:
    import tensorflow as tf

    class Counted(tf.Module):
        def __init__(self) -> None:
            self.sum, self.calls = tf.Variable(1.0), tf.Variable([1, 2])

        @tf.function(input_signature=[tf.TensorSpec((None, 2))])
        def __call__(self, x: tf.Tensor) -> tf.Tensor:
            self.sum.assign_add(tf.reduce_sum(x))
            self.calls.assign_add([1, 3])
            return x * self.sum + tf.cast(self.calls, tf.float32)

    source: Any = Counted()
    if saved:
        tf.saved_model.save(source, str(tmp_path / "saved"), signatures=source.__call__)
        source = tmp_path / "saved"
    converter.convert(source, "tensorflow", tmp_path / "out", verify=False)
    found = converter.verify(source, tmp_path / "out")
    assert found.passed, found.summary()
    assert len(found.cases) == CASES + 1 + MOST  # one without rows


class Best(keras.Model):
    def call(self, x: Any) -> Any:
        return {"best": ops.top_k(x, 2), "sum": ops.sum(ops.top_k(x, 3, sorted=False)[0], axis=-1)}


def test_results_whose_fields_a_backend_names() -> None:
    """TensorFlow's top_k is a named tuple, which Keras' own is not; without sorting its order is open."""
    conversion = converter.convert(Best(), "onnx", inputs=("float32[n,6]",))
    assert conversion.report.verification is not None and conversion.report.verification.passed
    assert any("leaves the order" in n for n in conversion.report.notes)


def test_packages_are_loaded_in_their_own_types() -> None:
    """A session of mixed precision, in which its model was made, built the package's layers by halves as well."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        given = keras.Input((3,))
        model = keras.Model(given, layers.Dense(2, dtype="float32")(layers.Dense(4)(given)))
        loaded = converter.convert(model, "keras", verify=False).load()
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_dtype_policy("float32")
    x = floats(2, 3)
    assert keras.backend.standardize_dtype(loaded(x).dtype) == "float32"
    np.testing.assert_array_equal(loaded(x), model(x))
