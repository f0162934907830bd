"""Random ops of TensorFlow: the distribution is carried over, not the draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
from converter.errors import ConversionError
from ir.eval import Evaluator
from tests.importers.tensorflow.harness import load

X = np.linspace(-1, 1, 2000).reshape(400, 5).astype("float32")
SEED = (1, 2)


def _read(call: Callable[[Any, Any], Any], rows: int | None = None) -> Any:
    """The function of a tensor [rows, 5]."""
    import tensorflow as tf

    traced = tf.function(lambda x: call(tf, x), autograph=False)
    return load(traced.get_concrete_function(tf.TensorSpec([rows, 5], "float32", "x")))


def _drawn(call: Callable[[Any, Any], Any]) -> np.ndarray:
    return np.asarray(next(iter(Evaluator("exact").run(_read(call), {"x": X}).values())))


CASES: dict[str, tuple[Callable[..., Any], str, float, float, float, float]] = {
    "uniform": (lambda tf, s: tf.random.uniform(s, 1.0, 3.0), "float32", 2, 0.577, 1, 3),
    "uniform, double": (lambda tf, s: tf.random.uniform(s, dtype="float64"), "float64", 0.5, 0.289, 0, 1),
    "normal": (lambda tf, s: tf.random.normal(s, 2.0, 3.0), "float32", 2, 3, -30, 30),
    "truncated": (lambda tf, s: tf.random.truncated_normal(s, 1.0, 2.0), "float32", 1, 1.76, -3, 5),
    "whole": (lambda tf, s: tf.random.uniform(s, 2, 6, "int32"), "int32", 3.5, 1.118, 2, 5),
    "stateless uniform": (lambda tf, s: tf.random.stateless_uniform(s, SEED), "float32", 0.5, 0.289, 0, 1),
    "stateless normal": (lambda tf, s: tf.random.stateless_normal(s, SEED, 2.0, 3.0), "float32", 2, 3, -30, 30),
    "stateless truncated": (
        lambda tf, s: tf.random.stateless_truncated_normal(s, SEED, 1.0, 2.0), "float32", 1, 1.76, -3, 5,
    ),
    "stateless whole": (
        lambda tf, s: tf.random.stateless_uniform(s, SEED, 2, 6, "int64"), "int64", 3.5, 1.118, 2, 5,
    ),
    "first stateless": (
        lambda tf, s: tf.raw_ops.StatelessRandomUniform(shape=s, seed=SEED), "float32", 0.5, 0.289, 0, 1,
    ),
}  # fmt: skip
"""What is drawn for a shape; dtype, mean, deviation, bounds."""


@pytest.mark.parametrize("name", CASES)
def test_distributions(name: str) -> None:
    draw, kind, mean, deviation, low, high = CASES[name]
    found = _drawn(lambda tf, x: draw(tf, X.shape))
    assert found.dtype == kind and found.shape == X.shape
    assert low <= found.min() and found.max() <= high
    assert found.mean() == pytest.approx(mean, abs=deviation / 8)
    assert found.std() == pytest.approx(deviation, rel=0.08)


def test_categories_follow_their_odds() -> None:
    found = _drawn(lambda tf, x: tf.random.categorical(tf.zeros([400, 2]) + np.array([0, np.log(3)], "float32"), 8))
    assert found.shape == (400, 8) and found.dtype == "int64"
    assert found.mean() == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("stateless", [False, True])
def test_shuffling_keeps_the_rows(stateless: bool) -> None:
    def call(tf: Any, x: Any) -> Any:
        if not stateless:
            return tf.random.shuffle(x)
        return tf.random.experimental.stateless_shuffle(x, SEED)

    found = _drawn(call)
    assert not (found == X).all() and (np.sort(found[:, 0]) == X[:, 0]).all()


def test_seeds_are_no_tensors() -> None:
    def call(tf: Any, x: Any) -> Any:
        key, _ = tf.raw_ops.StatelessRandomGetKeyCounter(seed=SEED)
        return tf.cast(key, "float32")

    with pytest.raises(ConversionError, match="seed of random numbers"):
        _read(call)


@pytest.mark.parametrize(
    ("reason", "call"),
    [
        ("no rule|distribution", lambda tf, x: tf.random.gamma([3], 2.0)),
        (
            "a bound of draws is computed",
            lambda tf, x: tf.random.uniform([3], 0, tf.cast(tf.reduce_sum(x), "int32"), "int32"),
        ),
    ],
)
def test_what_is_refused(reason: str, call: Any) -> None:
    with pytest.raises(ConversionError, match=reason):
        _read(call)


def _dropout(model: Any) -> list[Any]:
    return [n for n in model.graph if n.op.name == "dropout"]


@pytest.mark.parametrize("stateless", [False, True])
@pytest.mark.parametrize(("shape", "shared"), [(None, ()), ((400, 1), (1,)), ((1, 5), (0,))])
def test_dropout_is_seen(stateless: bool, shape: Any, shared: tuple[int, ...]) -> None:
    def call(tf: Any, x: Any) -> Any:
        if stateless:
            return tf.nn.experimental.stateless_dropout(x, 0.3, SEED, noise_shape=shape)
        return tf.nn.dropout(x, 0.3, noise_shape=shape)

    model = _read(call, 400)
    (node,) = _dropout(model)
    assert node.attrs["p"] == 0.3 and node.attrs["always"] and node.attrs["broadcast_axes"] == shared
    got = np.asarray(next(iter(Evaluator("exact").run(model, {"x": X}).values())))
    assert shared == (0,) or 0.1 < (got == 0).mean() < 0.5
    np.testing.assert_allclose(got[got != 0], (X / np.float32(0.7))[got != 0], 1e-6)


def test_dropout_of_open_size() -> None:
    (node,) = _dropout(_read(lambda tf, x: tf.nn.dropout(x, 0.25)))
    assert node.attrs["p"] == 0.25


@pytest.mark.parametrize(
    "call",
    [
        lambda tf, x: tf.where(tf.random.uniform([400, 5]) >= 0.3, x * 1.5, 0.0),
        lambda tf, x: tf.where(tf.random.uniform([400, 5], 0.0, 2.0) >= 0.3, x * (1 / 0.7), 0.0),
        lambda tf, x: tf.where(tf.random.uniform([400, 5]) >= 0.3, x * (1 / 0.7), 1.0),
        lambda tf, x: tf.where(tf.random.normal([400, 5]) >= 0.3, x * (1 / 0.7), 0.0),
        lambda tf, x: tf.where(tf.random.uniform([5]) >= 0.3, x * (1 / 0.7), 0.0),
    ],
)
def test_what_is_no_dropout_stays_a_draw(call: Any) -> None:
    model = _read(call, 400)
    assert not _dropout(model) and any(n.op.random for n in model.graph)
