"""Loops of TensorFlow 1, of frames, in frozen graphs: against a session's results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
import tensorflow as tf

from converter.errors import ConversionError, UsageError
from converter.importers.tensorflow import load
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.tensorflow.harness import array

v1 = tf.compat.v1
X = array(5, 3, 4)


def _frozen(folder: Path, build: Callable[[Any], Any]) -> tuple[Path, np.ndarray]:
    """The graph of a function of x, in a file, and what a session gives for X."""
    v1.disable_control_flow_v2()
    try:
        graph = tf.Graph()
        with graph.as_default():
            tf.identity(build(v1.placeholder("float32", [None, 3, 4], "x")), "y")
        assert any(n.op in ("NextIteration", "Switch") for n in graph.as_graph_def().node)
        with v1.Session(graph=graph) as session:
            want = session.run("y:0", {"x:0": X})
    finally:
        v1.enable_control_flow_v2()
    file = folder / "graph.pb"
    file.write_bytes(graph.as_graph_def().SerializeToString())
    return file, want


def _same(folder: Path, build: Callable[[Any], Any]) -> Any:
    file, want = _frozen(folder, build)
    model = load(file)
    check(model)
    np.testing.assert_allclose(Evaluator("exact").run(model, {"x": X})["y"], want, 1e-5, 1e-5)
    return model


def summed(x: Any) -> Any:
    """Lists by number, a state, and an invariant."""
    count, scale = tf.shape(x)[0], tf.reduce_mean(x)
    given = v1.TensorArray("float32", count).unstack(x)

    def step(i: Any, total: Any, out: Any) -> Any:
        total = total * scale + given.read(i)
        return i + 1, total, out.write(i, total)

    start = [0, tf.zeros([3, 4]), v1.TensorArray("float32", count)]
    return v1.while_loop(lambda i, *_: i < count, step, start)[2].stack()


def mapped(x: Any) -> Any:
    return v1.map_fn(lambda row: tf.reduce_sum(row, -1), x)


def scanned(x: Any) -> Any:
    return v1.scan(lambda total, row: total * 0.5 + row, x)


def cells(x: Any) -> Any:
    weight = tf.constant(array(8, 16, low=-1, high=1))

    def step(state: Any, row: Any) -> Any:
        i, g, f, o = tf.split(tf.concat([row, state[0]], 1) @ weight, 4, 1)
        c = state[1] * tf.sigmoid(f + 1) + tf.sigmoid(i) * tf.tanh(g)
        return tf.tanh(c) * tf.sigmoid(o), c

    return v1.scan(step, x, (tf.zeros([3, 4]), tf.zeros([3, 4])))[0] * 1.0


def nested(x: Any) -> Any:
    """A loop inside a loop."""

    def row(r: Any) -> Any:
        return v1.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, v * v - 0.25), [0, r * 0.5])[1]

    return v1.map_fn(row, x)


def until(x: Any) -> Any:
    """A loop whose end the values decide."""
    return v1.while_loop(lambda v: tf.reduce_sum(tf.abs(v)) > 1.0, lambda v: v * 0.5, [x])


def branching(x: Any) -> Any:
    """A branch inside a loop."""

    def step(i: Any, v: Any) -> Any:
        return i + 1, v1.cond(tf.reduce_sum(v) > 0, lambda: v - 1.0, lambda: v * 2.0)

    return v1.while_loop(lambda i, _: i < 4, step, [0, x])[1]


@pytest.mark.parametrize("build", [summed, mapped, scanned, cells, nested, until])
def test_loops(tmp_path: Path, build: Any) -> None:
    _same(tmp_path, build)


@pytest.mark.parametrize("build", [summed, mapped])
def test_lists_in_order_are_scanned(tmp_path: Path, build: Any) -> None:
    ops = [n.op.name for n in _same(tmp_path, build).graph]
    assert "scan" in ops and not {"while", "scatter_nd", "gather"} & set(ops)


def one_of_two(x: Any) -> Any:
    return v1.cond(tf.reduce_sum(x) > 100, lambda: x * 2.0, lambda: tf.reduce_sum(x) - x) + 1.0


def other_of_two(x: Any) -> Any:
    return v1.cond(tf.reduce_sum(x) < 100, lambda: x * 2.0, lambda: tf.reduce_sum(x) - x) + 1.0


def two_inside(x: Any) -> Any:
    """A branch and a loop inside a branch."""

    def loop() -> Any:
        return v1.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, v * 0.5), [0, x])[1]

    inner = lambda: v1.cond(tf.reduce_max(x) > 0, lambda: x + 1.0, lambda: x)  # noqa: E731
    return v1.cond(tf.reduce_sum(x) < 100, inner, loop) + v1.cond(tf.reduce_sum(x) > 100, inner, loop)


@pytest.mark.parametrize("build", [branching, one_of_two, other_of_two, two_inside])
def test_branches(tmp_path: Path, build: Any) -> None:
    assert {"cond", "scan", "while"} & {n.op.name for n in _same(tmp_path, build).graph}


def test_a_loop_without_an_end_is_refused(tmp_path: Path) -> None:
    """A frame that is not whole."""
    file, _ = _frozen(tmp_path, until)
    graph = v1.GraphDef.FromString(file.read_bytes())
    for node in graph.node:
        if node.op == "LoopCond":
            node.op = "Identity"
            node.attr["T"].type = 10
    file.write_bytes(graph.SerializeToString())
    with pytest.raises((UsageError, ConversionError)):
        load(file)
