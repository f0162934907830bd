"""Tensors of quantised types beside the ops that make them: at borders, in branches, as constants, in files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import converter
from converter.errors import ConversionError
from ir.eval import Evaluator
from tests.importers.tensorflow.harness import array, load

X = array(4, 3)


def _steps(x: Any) -> Any:
    import tensorflow as tf

    return tf.raw_ops.QuantizeV2(input=x, min_range=-2.0, max_range=3.0, T=tf.quint8)


def _numbers(q: Any, low: Any = -2.0, high: Any = 3.0) -> Any:
    import tensorflow as tf

    return tf.raw_ops.Dequantize(input=q, min_range=low, max_range=high)


def _traced(call: Callable[..., Any]) -> Any:
    import tensorflow as tf

    return tf.function(call).get_concrete_function(tf.TensorSpec([None, 3], tf.float32, name="x"))


def _same(call: Callable[..., Any]) -> None:
    traced = _traced(call)
    got = next(iter(Evaluator("exact").run(load(traced), {"x": X}).values()))
    np.testing.assert_allclose(got, traced(X).numpy(), 1e-6)


def test_borders_are_refused() -> None:
    import tensorflow as tf

    with pytest.raises(ConversionError, match="tensor of quint8"):
        load(_traced(lambda x: _steps(x)[0]))
    traced = tf.function(_numbers).get_concrete_function(tf.TensorSpec([2], tf.quint8, name="q"))
    with pytest.raises(ConversionError, match="it holds quint8"):
        load(traced)


def test_constants_and_branches() -> None:
    import tensorflow as tf

    held = tf.bitcast(tf.constant([[0, 100, 255]], tf.uint8), tf.quint8)
    few = _steps(X[:1])[0]

    def branch(x: Any) -> Any:
        q = _steps(x)[0]
        return _numbers(tf.cond(tf.reduce_sum(x) > 0, lambda: q, lambda: tf.reshape(tf.reshape(q, [3, -1]), [-1, 3])))

    def moved(x: Any) -> Any:
        return _numbers(tf.concat([_steps(x)[0][1:], held], 0))

    _same(lambda x: x + _numbers(held) * _numbers(few))
    _same(branch)
    _same(moved)


def test_constants_of_a_file(tmp_path: Path) -> None:
    """The op that TensorFlow took back, and a quantised constant, in a frozen graph of their day."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [2, 3], "x")
        weight = tf.constant(np.array([[3, 100, 200]], np.uint8).astype(tf.quint8.as_numpy_dtype), tf.quint8)
        given = {"min_range": -1.0, "max_range": 1.0, "name": "weight"}
        y = tf.add(x, tf.raw_ops.Dequantize(input=weight, **given), name="y")
    frozen = graph.as_graph_def()
    for name, known in (("given", True), ("own", False)):
        node = frozen.node.add(name=name, op="QuantizeAndDequantize", input=[y.op.name])
        node.attr["T"].type = tf.float32.as_datatype_enum
        node.attr["num_bits"].i = 4
        node.attr["range_given"].b = known
        node.attr["input_min"].f, node.attr["input_max"].f = -0.5, 1.5
    frozen.versions.producer, frozen.versions.min_consumer = 21, 0
    file = tmp_path / "frozen.pb"
    file.write_bytes(frozen.SerializeToString())
    given = np.array([[-2, -0.3, 0.2], [0.7, 1.4, 3]], np.float32)
    got = Evaluator("exact").run(converter.load(file), {"x": given})
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(frozen, name="")
        want = session.run(["given:0", "own:0"], {"x:0": given})
    for mine, theirs in zip(got.values(), want, strict=True):
        np.testing.assert_allclose(mine, theirs, 1e-6)
