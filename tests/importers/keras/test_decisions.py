"""Code that asks whether sizes are equal: the answer is assumed, and checked, where the other one makes another model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import converter
from converter.importers.keras import load
from ir.eval import Evaluator
from ir.types.dim import evaluate_dim


def _model(call: Callable[..., Any]) -> Any:
    class Asks(keras.Model):
        def call(self, x: Any) -> Any:
            return call(x)

    return Asks()


def _one(x: Any) -> Any:
    return ops.squeeze(x, 1) * 3 if x.shape[1] == 1 else ops.sum(x, 1)


def _not_one(x: Any) -> Any:
    return ops.sum(x, 1) if x.shape[1] != 1 else ops.squeeze(x, 1) * 3


def _odd(x: Any) -> Any:
    return ops.sum(x[:, :-1], 1) if x.shape[1] % 2 else ops.sum(x, 1)


def _odd_number(x: Any) -> Any:
    return ops.sum(x[:, :-1], 1) if int(x.shape[1]) % 2 else ops.sum(x, 1)


def _none(x: Any) -> Any:
    return ops.sum(x, 1) + 1 if not x.shape[1] else ops.max(x, 1)


def _square(x: Any) -> Any:
    return ops.sum(x, 1) + 1 if x.shape[0] == x.shape[1] else ops.sum(x, 1)


def _five(x: Any) -> Any:
    return ops.sum(x, 1) + 1 if x.shape[1] in (5, 300) else ops.sum(x, 1)


ASKED: dict[str, tuple[Callable[..., Any], list[tuple[int, int]], list[tuple[int, int]]]] = {
    "is it one": (_one, [(2, 3), (2, 2)], [(2, 1)]),
    "is it not one": (_not_one, [(2, 3)], [(2, 1)]),
    "is it none": (_none, [(2, 1), (2, 7)], [(2, 0)]),
    "are two equal": (_square, [(2, 3), (3, 2)], [(2, 2), (7, 7)]),
    "is it one of a few": (_five, [(2, 4), (2, 1)], [(2, 5), (2, 300)]),
}
"""By question: the model, sizes as in the reading, and sizes at which it answers another model."""


@pytest.mark.parametrize("question", ASKED)
def test_another_answer_is_not_taken_for_the_same(question: str) -> None:
    call, good, bad = ASKED[question]
    net = _model(call)
    read = load(net, ["float32[batch,length,4]"])
    assert any("asks whether" in a.why for a in read.assumptions)
    for shape in good:
        x = np.random.default_rng(0).standard_normal((*shape, 4)).astype("float32")
        (got,) = Evaluator("exact").run(read, {"x": x}).values()
        np.testing.assert_allclose(got, np.asarray(net(x)), rtol=1e-6)
    for number, shapes in enumerate((good, bad)):
        for batch, length in shapes:
            broken = [a for a in read.assumptions if evaluate_dim(a.gap, {"batch": batch, "length": length})]
            assert bool(broken) == bool(number), (batch, length)


def test_what_is_written_refuses_the_other_sizes(tmp_path: Path) -> None:
    net = _model(_one)
    for to in ("torch", "onnx"):
        place = tmp_path / (to if to == "torch" else "model.onnx")
        converter.convert(net, to=to, output=place, inputs=["float32[batch,length,4]"])
        x = np.ones((2, 3, 4), "float32")
        (got,) = converter.run(place, {"x": x}).values()
        np.testing.assert_array_equal(got, np.asarray(net(x)))
        with pytest.raises(Exception, match="length|needs"):
            converter.run(place, {"x": np.ones((2, 1, 4), "float32")})


@pytest.mark.parametrize("call", [_odd, _odd_number])
def test_odd_and_even_sizes_are_read(call: Callable[..., Any]) -> None:
    """What one of them answers is not taken for the other's."""
    with pytest.raises(converter.ConversionError, match="a size of the inputs decides"):
        load(_model(call), ["float32[batch,length,4]"])


def _harmless(x: Any) -> Any:
    """Both ways compute the same."""
    return ops.sum(x, 1) if x.shape[1] == 1 or x.shape[0] != 5 else ops.sum(x, axis=1)


def test_a_question_that_decides_nothing_is_no_assumption() -> None:
    assert not load(_model(_harmless), ["float32[batch,length,4]"]).assumptions


def _only_in_training(x: Any, training: bool = False) -> Any:
    return ops.sum(x, 1) * (2.0 if training and x.shape[1] > 3 else 1.0)


def test_questions_of_training_count() -> None:
    class Trains(keras.Model):
        def call(self, x: Any, training: bool = False) -> Any:
            return _only_in_training(x, training)

    assert load(Trains(), ["float32[batch,length,4]"]).assumptions


def _found(x: Any) -> Any:
    rows = ops.nonzero(x[:, 0, 0])[0]
    return ops.sum(rows) * (3 if rows.shape[0] == 1 else 1)


def _found_more(x: Any) -> Any:
    rows = ops.nonzero(x[:, 0, 0])[0]
    return ops.sum(rows) * (3 if rows.shape[0] > 2 else 1)


@pytest.mark.parametrize("call", [_found, _found_more])
def test_sizes_that_the_run_finds_decide_nothing(call: Callable[..., Any]) -> None:
    with pytest.raises(converter.ConversionError, match="only the numbers of a tensor tell"):
        load(_model(call), ["float32[batch,length,4]"])


def test_sizes_of_the_example_are_asked_too() -> None:
    """An example of length 1 is no promise that it is always that."""
    inputs = keras.Input((None, 4))

    class Asks(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return _one(x)

        def compute_output_shape(self, shape: Any) -> Any:
            return shape[0], shape[2]

    with pytest.raises(converter.ConversionError, match="a size of the inputs decides"):
        load(keras.Model(inputs, Asks()(inputs)), [np.ones((1, 1, 4), "float32")])
