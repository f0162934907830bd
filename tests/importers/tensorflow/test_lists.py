"""Lists of tensors in loops and outside, against TensorFlow's own results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
import tensorflow as tf

from converter.errors import ConversionError
from ir.eval import EvaluationError, Evaluator
from tests.importers.tensorflow.harness import array, load

X = array(5, 3, 4)


def _read(call: Callable[..., Any], opened: tuple[int, ...] = (), x: np.ndarray = X) -> Any:
    shape = [None if i in opened else n for i, n in enumerate(x.shape)]
    traced = tf.function(call).get_concrete_function(tf.TensorSpec(shape, x.dtype, "x"))
    return load(traced)


def _same(call: Callable[..., Any], opened: tuple[int, ...] = (), x: np.ndarray = X) -> Any:
    model = _read(call, opened, x)
    for n in (x.shape[0], 1) if 0 in opened else (x.shape[0],):
        got = [np.asarray(v) for v in Evaluator("exact").run(model, {"x": x[:n]}).values()]
        for mine, theirs in zip(got, tf.nest.flatten(call(tf.constant(x[:n]))), strict=True):
            assert mine.dtype == theirs.numpy().dtype
            np.testing.assert_allclose(mine, theirs.numpy(), 1e-5, 1e-5)
    return model


def squares(x: Any) -> Any:
    out = tf.TensorArray("float32", tf.shape(x)[0])
    for i in tf.range(tf.shape(x)[0]):
        out = out.write(i, x[i] * x[i])
    return out.stack()


def running(x: Any) -> Any:
    """Reads one list, writes another, and carries a state."""
    given = tf.TensorArray("float32", tf.shape(x)[0], element_shape=[3, 4]).unstack(x)
    out = tf.TensorArray("float32", tf.shape(x)[0], element_shape=[3, 4])
    total = tf.zeros([3, 4])
    for i in tf.range(tf.shape(x)[0]):
        total = total + given.read(i)
        out = out.write(i, total)
    return out.stack(), total


def backwards(x: Any) -> Any:
    out = tf.TensorArray("float32", 5)
    i = 4
    while i >= 0:
        out = out.write(i, x[4 - i])
        i -= 1
    return out.stack(), out.gather([3, 0]), out.concat()


def partly(x: Any) -> Any:
    """Elements that nothing writes are zeros."""
    out = tf.TensorArray("float32", 4, element_shape=[3, 4])
    out = out.write(1, x[0])
    return out.stack(), out.read(1)


def scattered(x: Any) -> Any:
    out = tf.TensorArray("float32", 7, element_shape=[3, 4]).scatter([6, 0, 2, 3, 1], x)
    return out.stack()


def cut(x: Any) -> Any:
    return tf.TensorArray("float32", 2, infer_shape=False).split(x[:4], [2, 2]).stack()


def scanned(x: Any) -> Any:
    return tf.scan(lambda total, row: total * 0.5 + row, x)


def mapped(x: Any) -> Any:
    return tf.map_fn(lambda row: tf.reduce_sum(row, -1), x)


@pytest.mark.parametrize("call", [squares, running, backwards, partly, scattered, cut, scanned, mapped])
def test_lists(call: Any) -> None:
    _same(call)


@pytest.mark.parametrize("call", [squares, running, scanned, mapped])
def test_lists_of_open_length(call: Any) -> None:
    _same(call, (0,))


@pytest.mark.parametrize("call", [squares, running, scanned, mapped])
def test_lists_of_open_elements(call: Any) -> None:
    shape = (0,) if call is running else (0, 1)
    _same(call, shape)


def test_a_place_that_is_not_there() -> None:
    def call(x: Any) -> Any:
        return tf.TensorArray("float32", 3).unstack(x[:3]).read(tf.cast(x[0, 0, 0] * 0, "int32") + 3)

    model = _read(call)
    with pytest.raises(EvaluationError, match="out of range"):
        Evaluator("exact").run(model, {"x": X})


def growing(**settings: Any) -> Any:
    return tf.TensorArray("float32", dynamic_size=True, **{"size": 0, "element_shape": [3, 4], **settings})


def in_order(x: Any) -> Any:
    out = growing(element_shape=None)
    for i in tf.range(tf.shape(x)[0]):
        out = out.write(i, x[i] * 2.0)
    return out.stack(), out.size()


def at_the_end(x: Any) -> Any:
    out, total = growing(), tf.zeros([3, 4])
    for row in x:
        total = tf.tanh(total + row)
        out = out.write(out.size(), total)
    return out.stack(), total


def until(x: Any) -> Any:
    """Only the run knows how often; the second list is written where another number says."""
    one, two, total, i = growing(), growing(), tf.zeros([3, 4]), tf.constant(0)
    while tf.reduce_sum(tf.abs(total)) < 9.0 and i < tf.shape(x)[0]:
        total = total + x[i]
        one = one.write(i, total)
        i += 1
        two = two.write(i - 1, total * 2.0)
    return one.stack(), two.stack(), i


def with_gaps(x: Any) -> Any:
    out, i = growing(size=1), 0
    while i < 2 * tf.shape(x)[0]:
        out = out.write(i, x[i // 2])
        i += 2
    return out.stack()


def twice(x: Any) -> Any:
    out = growing()
    for i in tf.range(tf.shape(x)[0]):
        out = out.write(i, x[i]).write(i, x[i] + 1.0)
    return out.stack()


def read_again(x: Any) -> Any:
    out = growing(clear_after_read=False).write(0, x[0])
    for i in tf.range(1, tf.shape(x)[0]):
        out = out.write(i, out.read(i - 1) * 0.5 + x[i])
    return out.stack()


def from_one_on(x: Any) -> Any:
    out = growing().write(0, x[0])
    for i in tf.range(1, tf.shape(x)[0]):
        out = out.write(i, x[i] * 3.0)
    return out.stack()


def by_numbers(x: Any) -> Any:
    out = growing().write(0, x[0]).write(1, x[0] * 2.0).write(3, x[0] * 3.0).write(1, x[0] * 4.0)
    return out.stack(), out.size()


def nested(x: Any) -> Any:
    out = growing(element_shape=[])
    for i in tf.range(tf.shape(x)[0]):
        for j in tf.range(3):
            out = out.write(i * 3 + j, x[i, j, 0])
    return out.stack()


GROWING = [in_order, at_the_end, until, with_gaps, twice, read_again, from_one_on, by_numbers, nested]


@pytest.mark.parametrize("call", GROWING)
def test_lists_that_grow(call: Any) -> None:
    _same(call)
    _same(call, (0,))


def test_a_list_that_every_trip_makes_longer_is_stacked() -> None:
    assert _loops(_read(in_order, (0,))) == ["scan"]
    assert _loops(_read(until, (0,))) == ["while"]


def test_a_list_that_does_not_grow_has_no_place_behind_its_end() -> None:
    def call(x: Any) -> Any:
        out = tf.TensorArray("float32", 0, element_shape=[3, 4])
        for i in tf.range(tf.shape(x)[0]):
            out = out.write(i, x[i])
        return out.stack()

    with pytest.raises(EvaluationError, match="axis of size 0"):
        Evaluator("exact").run(_read(call, (0,)), {"x": X})


def test_elements_of_different_shapes_are_refused() -> None:
    def call(x: Any) -> Any:
        out = tf.TensorArray("float32", 2, infer_shape=False)
        return out.write(0, x[0]).write(1, x[0, :2]).concat()

    with pytest.raises(ConversionError, match="of different shapes"):
        _read(call)


def _loops(model: Any) -> list[str]:
    return [n.op.name for n in model.graph if n.op.name in ("scan", "while")]


def numbered(x: Any) -> Any:
    """The number of the trip counts in the result."""
    out = tf.TensorArray("float32", 5, element_shape=[3, 4])
    for i in tf.range(5):
        out = out.write(i, x[i] * tf.cast(i, "float32"))
    return out.stack()


def twice(x: Any) -> Any:
    """A loop inside a loop."""
    out = tf.TensorArray("float32", tf.shape(x)[0], element_shape=[3, 4])
    for i in tf.range(tf.shape(x)[0]):
        rows = tf.TensorArray("float32", 3, element_shape=[4])
        given = tf.TensorArray("float32", 3, element_shape=[4]).unstack(x[i])
        for j in tf.range(3):
            rows = rows.write(j, given.read(j) * 2.0)
        out = out.write(i, rows.stack())
    return out.stack()


def last(x: Any) -> Any:
    """A list of one element that every trip writes."""
    out = tf.TensorArray("float32", 1, element_shape=[3, 4])
    given = tf.TensorArray("float32", tf.shape(x)[0], element_shape=[3, 4]).unstack(x)
    total = tf.zeros([3, 4])
    for i in tf.range(tf.shape(x)[0]):
        total = total * 0.5 + given.read(i)
        out = out.write(0, total)
    return out.read(0)


@pytest.mark.parametrize("call", [squares, running, numbered, twice, last, mapped])
def test_lists_read_in_order_are_scanned(call: Any) -> None:
    assert _loops(_same(call, (0,) if call is not numbered else ())) == ["scan"]


def shorter(x: Any) -> Any:
    """Fewer trips than the list has elements."""
    out = tf.TensorArray("float32", 5, element_shape=[3, 4])
    for i in tf.range(3):
        out = out.write(i, x[i])
    return out.stack()


def read_back(x: Any) -> Any:
    """A list that a trip reads as well as writes."""
    out = tf.TensorArray("float32", 5, element_shape=[3, 4], clear_after_read=False)
    for i in tf.range(5):
        out = out.write(i, x[i] + out.read(0))
    return out.stack()


def from_the_end(x: Any) -> Any:
    """Written from the end."""
    out = tf.TensorArray("float32", 5, element_shape=[3, 4])
    for i in tf.range(5):
        out = out.write(4 - i, x[i])
    return out.stack()


@pytest.mark.parametrize("call", [shorter, read_back, from_the_end, scanned])
def test_other_loops_stay(call: Any) -> None:
    assert _loops(_same(call)) == ["while"]
