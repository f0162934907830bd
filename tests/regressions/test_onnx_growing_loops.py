"""Loops whose condition asks for a size that each trip changes, as ONNX: it is asked anew after each trip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

import converter


@tf.function(input_signature=[tf.TensorSpec((1, None), tf.int32)])
def grow(tokens: tf.Tensor) -> tf.Tensor:
    """Up to nine tokens, or until one is 3."""
    return tf.while_loop(
        lambda t: tf.logical_and(tf.shape(t)[1] < 9, t[0, -1] != 3),
        lambda t: (tf.concat([t, t[:, -1:] + 1 + t[:, :1] - t[:, :1]], 1),),
        [tokens],
        shape_invariants=[tf.TensorShape([1, None])],
    )[0]


def test_it_stops_where_the_source_does(tmp_path: Path) -> None:
    converter.convert(grow, "onnx", tmp_path / "grow.onnx", verify=False)
    for start in ([7], [1], [5, 6, 7, 8, 9, 10, 11, 12], [4] * 9, [4] * 10, [3]):
        tokens = np.array([start], np.int32)
        (found,) = converter.run(tmp_path / "grow.onnx", (tokens,)).values()
        np.testing.assert_array_equal(found, grow(tokens))
