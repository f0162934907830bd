"""Random functions of Keras: the distribution is carried over, not the draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras")
from converter.errors import ConversionError
from converter.importers.keras import load
from ir.core import Model
from ir.eval import Evaluator
from tests.importers.keras.op_cases import live_layer

ROWS = 400
X = np.linspace(-1, 1, ROWS * 5).reshape(ROWS, 5).astype("float32")


def _read(call: Callable[..., Any]) -> Model:
    import keras

    given = keras.Input((5,))
    return load(keras.Model(given, live_layer(call)([given])))


def _drawn(call: Callable[..., Any]) -> np.ndarray:
    read = _read(call)
    return np.asarray(Evaluator("exact").run(read, dict.fromkeys(read.input_types, X))["output"])


CASES: dict[str, tuple[Callable[..., Any], str, float, float, float, float]] = {
    "normal": (lambda r, s: r.normal(s, mean=2.0, stddev=3.0), "float32", 2, 3, -30, 30),
    "uniform": (lambda r, s: r.uniform(s, 1.0, 3.0), "float32", 2, 0.577, 1, 3),
    "uniform, double": (lambda r, s: r.uniform(s, dtype="float64"), "float64", 0.5, 0.289, 0, 1),
    "randint": (lambda r, s: r.randint(s, 2, 6), "int32", 3.5, 1.118, 2, 5),
    "truncated_normal": (lambda r, s: r.truncated_normal(s, mean=1.0, stddev=2.0), "float32", 1, 1.76, -3, 5),
}  # fmt: skip
"""What is drawn: a function of keras.random and the shape; dtype, mean, deviation, bounds."""


@pytest.mark.parametrize("name", CASES)
def test_distributions(name: str) -> None:
    from keras import ops, random

    draw, kind, mean, deviation, low, high = CASES[name]
    found = _drawn(lambda x: draw(random, ops.shape(x)))
    assert found.dtype == kind and found.shape == X.shape
    assert low <= found.min() and found.max() <= high
    assert found.mean() == pytest.approx(mean, abs=deviation / 8)
    assert found.std() == pytest.approx(deviation, rel=0.08)


def test_categories_follow_their_odds() -> None:
    from keras import ops, random

    found = _drawn(lambda x: random.categorical(ops.log(ops.softmax(ops.zeros_like(x[:, :2]))), 8))
    assert found.shape == (ROWS, 8) and set(np.unique(found)) == {0, 1}
    assert found.mean() == pytest.approx(0.5, abs=0.06)


def test_a_shuffle_keeps_its_rows() -> None:
    from keras import random

    found = _drawn(lambda x: random.shuffle(x))
    assert not np.array_equal(found, X) and np.array_equal(found[np.argsort(found[:, 0])], X)


def test_dropout_as_a_function_drops_in_inference() -> None:
    from keras import random

    found = _drawn(lambda x: random.dropout(x, 0.25, noise_shape=(None, 1)))
    kept = (found != 0).any(axis=1)
    assert kept.mean() == pytest.approx(0.75, abs=0.08)
    np.testing.assert_allclose(found[kept], X[kept] / 0.75, rtol=1e-6)


@pytest.mark.parametrize("name", ["gamma", "beta", "binomial"])
def test_others_are_refused(name: str) -> None:
    from keras import ops, random

    call = {
        "gamma": lambda x: random.gamma(ops.shape(x), 2.0), "beta": lambda x: random.beta(ops.shape(x), 2.0, 3.0),
        "binomial": lambda x: random.binomial(ops.shape(x), 3.0, 0.5),
    }[name]  # fmt: skip
    with pytest.raises(ConversionError) as caught:
        _read(call)
    assert "draw them outside" in caught.value.unsupported[0].advice
