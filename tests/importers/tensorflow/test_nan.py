"""Where TensorFlow's kernels pass over NaN and the converted model does not, a note tells it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

import converter
from converter.policies import MAX_POOL_NAN
from ir.eval import Evaluator


@pytest.mark.parametrize("kind", [tf.float32, tf.int32])
def test_max_pooling(kind: tf.DType) -> None:
    traced = tf.function(
        lambda x: tf.raw_ops.MaxPool(input=x, ksize=[1, 1, 2, 1], strides=[1, 1, 2, 1], padding="VALID"),
        input_signature=[tf.TensorSpec((1, 1, 4, 1), kind)],
    )
    model = converter.load(traced)
    assert (MAX_POOL_NAN in model.notes) == kind.is_floating
    if kind.is_floating:
        x = np.array([1, np.nan, 2, 3], np.float32).reshape(1, 1, 4, 1)
        (ours,) = Evaluator("exact").run(model, dict.fromkeys(model.input_types, x)).values()
        assert traced(x).numpy().ravel().tolist() == [1, 3]
        np.testing.assert_array_equal(ours.ravel(), [np.nan, 3])
