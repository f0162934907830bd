"""Norms that TensorFlow spells in smaller ops enter as norms; others stay as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
import tensorflow as tf

from ir.core import Model
from ir.eval import Evaluator
from tests.importers.tensorflow.harness import array, load
from tests.importers.tensorflow.test_layers import Net

X = array(2, 5, 4, 3)


def _ops(model: Model) -> set[str]:
    return {n.op.name for n in model.graph}


VECTORS = {"m": (3,), "v": (3,), "g": (3,), "b": (3,)}


@pytest.mark.parametrize(("scale", "offset"), [(True, True), (True, False), (False, True), (False, False)])
def test_stored_statistics(scale: bool, offset: bool) -> None:
    def call(n: Any, x: Any) -> Any:
        return tf.nn.batch_normalization(x, n.m, n.v, n.b if offset else None, n.g if scale else None, 1e-3)

    net = Net(call, **VECTORS)
    net.v.assign([0.5, 1.5, 2.0])
    model = _checked(net)
    (node,) = [n for n in model.graph if n.op.name == "batch_norm"]
    assert node.attrs["axis"] == 3 and node.attrs["frozen"] and node.attrs["eps"] == 1e-3
    assert (node.operands["scale"] is not None, node.operands["bias"] is not None) == (scale, offset)


def _checked(net: Net, x: np.ndarray = X) -> Model:
    model = load(net.__call__.get_concrete_function(tf.TensorSpec([None, *x.shape[1:]], "float32", "x")))
    got = next(iter(Evaluator("exact").run(model, {"x": x}).values()))
    np.testing.assert_allclose(got, net(x).numpy(), 1e-4, 1e-4)
    return model


def test_second_axis() -> None:
    def call(n: Any, x: Any) -> Any:
        wide = [tf.reshape(v, [1, 5, 1, 1]) for v in (n.m, n.v, n.b, n.g)]
        return tf.nn.batch_normalization(x, *wide, 1e-3)

    net = Net(call, m=(5,), v=(5,), b=(5,), g=(5,))
    net.v.assign([0.5, 1.5, 2.0, 1.0, 0.7])
    (node,) = [n for n in _checked(net).graph if n.op.name == "batch_norm"]
    assert node.attrs["axis"] == 1


@pytest.mark.parametrize("axes", [(3,), (2, 3), (1, 2, 3)])
def test_layers(axes: tuple[int, ...]) -> None:
    def call(n: Any, x: Any) -> Any:
        mean, var = tf.nn.moments(x, axes, keepdims=True)
        return tf.nn.batch_normalization(x, mean, var, n.b, n.g, 1e-5)

    sizes = tuple(X.shape[a] for a in axes)
    (node,) = [n for n in _checked(Net(call, g=sizes, b=sizes)).graph if n.op.name.endswith("norm")]
    assert node.op.name == "layer_norm" and node.attrs["axes"] == axes and node.operands["scale"] is not None


def test_the_batch_is_no_layer() -> None:
    """Statistics of the batch, which gradients pass through."""

    def call(n: Any, x: Any) -> Any:
        mean, var = tf.nn.moments(x, (0, 1, 2))
        return tf.nn.batch_normalization(x, mean, var, n.b, n.g, 1e-5)

    assert not any(op.endswith("norm") for op in _ops(_checked(Net(call, g=(3,), b=(3,)))))


def test_other_shifts_stay() -> None:
    def call(n: Any, x: Any) -> Any:
        factor = tf.math.rsqrt(n.v + 1e-3) * n.g
        return x * factor + (n.b - n.m * n.g)

    net = Net(call, **VECTORS)
    net.v.assign([0.5, 1.5, 2.0])
    assert "batch_norm" not in _ops(_checked(net))


def test_gradients_pass_the_statistics_of_a_batch() -> None:
    """`is_training` normalises by statistics that depend on the operand."""

    def call(n: Any, x: Any) -> Any:
        return tf.raw_ops.FusedBatchNormV3(x=x, scale=n.g, offset=n.b, mean=n.m, variance=n.v, is_training=True)[0]

    assert "batch_norm" not in _ops(_checked(Net(call, **VECTORS)))
