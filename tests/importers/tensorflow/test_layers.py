"""Convolutions of TensorFlow enter as layers: weights as they are read, biases taken up, one spatial axis where there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
import tensorflow as tf

from ir.core import Model
from ir.eval import Evaluator
from tests.importers.tensorflow.harness import array, load


class Net(tf.Module):
    """Variables of shapes, by name, and a call of them."""

    def __init__(self, call: Callable[..., Any], **shapes: tuple[int, ...]) -> None:
        super().__init__()
        for k, (name, shape) in enumerate(shapes.items()):
            setattr(self, name, tf.Variable(array(*shape, seed=k), name=name))
        self.body = call

    @tf.function
    def __call__(self, x: Any) -> Any:
        return self.body(self, x)


def _read(net: Net, x: np.ndarray) -> tuple[Model, list[str]]:
    """What was read, which computes the same, and the ops of its graph."""
    model = load(net.__call__.get_concrete_function(tf.TensorSpec([None, *x.shape[1:]], "float32", "x")))
    got = next(iter(Evaluator("exact").run(model, {"x": x}).values()))
    np.testing.assert_allclose(got, net(x).numpy(), 1e-4, 1e-4)
    return model, [n.op.name for n in model.graph]


def _shapes(model: Model) -> dict[str, tuple[Any, ...]]:
    return {w.name: w.type.shape for w in model.weights.values()}


def test_image() -> None:
    net = Net(lambda m, x: tf.nn.bias_add(tf.nn.conv2d(x, m.w, 2, "SAME"), m.b), w=(3, 2, 4, 5), b=(5,))
    model, ops = _read(net, array(2, 7, 6, 4))
    assert ops == ["conv"] and _shapes(model) == {"w": (5, 4, 3, 2), "b": (5,)}
    assert model.weights["w"].source_axes == (3, 2, 0, 1) and model.weights["w"].trainable


def test_channels_first() -> None:
    def call(m: Any, x: Any) -> Any:
        return tf.nn.bias_add(
            tf.raw_ops.Conv2D(input=x, filter=m.w, strides=[1] * 4, padding="SAME", data_format="NCHW"), m.b, "NCHW"
        )

    net = Net(call, w=(3, 2, 4, 5), b=(5,))
    model = load(net.__call__.get_concrete_function(tf.TensorSpec([2, 4, 6, 5], "float32", "x")))
    assert [n.op.name for n in model.graph] == ["conv"] and _shapes(model) == {"w": (5, 4, 3, 2), "b": (5,)}


def test_one_axis() -> None:
    net = Net(
        lambda m, x: tf.nn.conv1d(x, m.w, 2, "SAME", dilations=1) + tf.reshape(m.b, (1, 1, 5)), w=(3, 4, 5), b=(5,)
    )
    model, ops = _read(net, array(2, 7, 4))
    assert ops == ["conv"] and _shapes(model) == {"w": (5, 4, 3), "b": (5,)}


def test_channel_by_channel() -> None:
    net = Net(lambda m, x: tf.nn.depthwise_conv2d(x, m.w, [1, 1, 1, 1], "VALID") + m.b, w=(3, 2, 4, 1), b=(4,))
    model, ops = _read(net, array(2, 7, 6, 4))
    assert ops == ["conv"] and _shapes(model) == {"w": (4, 1, 3, 2), "b": (4,)}


def test_transposed() -> None:
    net = Net(lambda m, x: tf.nn.conv2d_transpose(x, m.w, [2, 14, 12, 5], 2) + m.b, w=(3, 2, 5, 4), b=(5,))
    model = load(net.__call__.get_concrete_function(tf.TensorSpec([2, 7, 6, 4], "float32", "x")))
    x = array(2, 7, 6, 4)
    np.testing.assert_allclose(Evaluator("exact").run(model, {"x": x})["output"], net(x).numpy(), 1e-4, 1e-4)
    assert [n.op.name for n in model.graph] == ["conv_transpose"] and _shapes(model) == {"w": (4, 5, 3, 2), "b": (5,)}


def test_a_weight_with_two_readers_stays() -> None:
    net = Net(lambda m, x: tf.nn.conv2d(x, m.w, 1, "SAME") * tf.reduce_sum(m.w), w=(3, 2, 4, 5))
    model, ops = _read(net, array(2, 7, 6, 4))
    assert "transpose" in ops and _shapes(model) == {"w": (3, 2, 4, 5)}


def test_a_weight_of_two_layers_is_one() -> None:
    net = Net(lambda m, x: tf.nn.conv2d(tf.nn.conv2d(x, m.w, 1, "SAME"), m.w, 1, "SAME") + m.b, w=(3, 2, 4, 4), b=(4,))
    model, ops = _read(net, array(2, 7, 6, 4))
    assert ops == ["conv", "conv"] and _shapes(model) == {"w": (4, 4, 3, 2), "b": (4,)}


def test_what_is_read_elsewhere_keeps_its_sum() -> None:
    def call(m: Any, x: Any) -> Any:
        y = tf.nn.conv2d(x, m.w, 1, "SAME")
        return y + m.b, y

    model, ops = _read_all(Net(call, w=(3, 2, 4, 5), b=(5,)))
    assert ops == ["conv", "add"]


def _read_all(net: Net) -> tuple[Model, list[str]]:
    model = load(net.__call__.get_concrete_function(tf.TensorSpec([2, 7, 6, 4], "float32", "x")))
    return model, [n.op.name for n in model.graph]


def test_a_sum_along_another_axis_is_no_bias() -> None:
    net = Net(lambda m, x: tf.nn.conv2d(x, m.w, 1, "SAME") + m.b[:, None], w=(3, 2, 4, 5), b=(6,))
    _, ops = _read(net, array(2, 7, 6, 4))
    assert ops[-1] == "add"


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize(("padding", "dilations"), [("SAME", (2, 3)), ("VALID", (2, 2)), ("SAME", (1, 4))])
def test_gaps(padding: str, dilations: tuple[int, int], opened: bool) -> None:
    net = Net(lambda m, x: tf.nn.depthwise_conv2d(x, m.w, [1] * 4, padding, dilations=dilations), w=(3, 2, 4, 1))
    open_size = None if opened else 9
    model = load(net.__call__.get_concrete_function(tf.TensorSpec([None, open_size, open_size, 4], "float32", "x")))
    if not opened:  # sizes of whole blocks of an open size are not proven
        (node,) = model.graph
        assert node.op.name == "conv" and node.attrs["dilations"] == dilations
    for size in (9, 10, 13) if opened else (9,):
        x = array(2, size, size, 4)
        got = next(iter(Evaluator("exact").run(model, {"x": x}).values()))
        np.testing.assert_allclose(got, net(x).numpy(), 1e-4, 1e-4)


def test_gaps_along_one_axis() -> None:
    net = Net(lambda m, x: tf.nn.convolution(x, m.w, padding="SAME", dilations=[3]) + m.b, w=(3, 4, 5), b=(5,))
    model, ops = _read(net, array(2, 11, 4))
    assert ops == ["conv"] and _shapes(model) == {"w": (5, 4, 3), "b": (5,)}


def test_other_blocks_stay() -> None:
    """Blocks that do not undo each other."""

    def call(m: Any, x: Any) -> Any:
        apart = tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]])
        return tf.batch_to_space(tf.nn.conv2d(apart, m.w, 1, "VALID"), [4, 1], [[0, 0], [0, 0]])

    _, ops = _read(Net(call, w=(1, 1, 4, 5)), array(2, 8, 8, 4))
    assert "transpose" in ops


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("rank", [3, 4])
def test_products_over_the_last_axis(rank: int, opened: bool) -> None:
    net = Net(lambda m, x: tf.tensordot(x, m.w, [[-1], [0]]) + m.b, w=(6, 4), b=(4,))
    x = array(*(2, 3, 5)[: rank - 1], 6)
    open_size = [None] * (rank - 1) if opened else x.shape[:-1]
    model = load(net.__call__.get_concrete_function(tf.TensorSpec([*open_size, 6], "float32", "x")))
    got = next(iter(Evaluator("exact").run(model, {"x": x}).values()))
    np.testing.assert_allclose(got, net(x).numpy(), 1e-4, 1e-4)
    assert "matmul" in [n.op.name for n in model.graph]
    assert next(n for n in model.graph if n.op.name == "matmul").operand("x") is model.graph.inputs[0]


def test_products_over_another_axis_stay() -> None:
    net = Net(lambda m, x: tf.tensordot(x, m.w, [[1], [0]]), w=(6, 4))
    _, ops = _read(net, array(2, 6, 5))
    assert "reshape" in ops
