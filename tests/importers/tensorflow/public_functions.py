"""Functions of TensorFlow's public API, which become several raw ops and arithmetic of sizes each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tests.importers.tensorflow.harness import array

Row = tuple[Callable[..., Any], tuple[np.ndarray, ...]]
X, X3 = array(3, 4), array(3, 4, 5)
N = np.array([1, 3, 1], np.int32)


def rows() -> dict[str, Row]:
    """The function and its example operands, by what the function shows."""
    return {**_reads(), **_shapes(), **_moves(), **_creations(), **_numbers(), **_matrices(), **_orders()}


def _reads() -> dict[str, Row]:
    return {
        "boolean_mask": (lambda x: tf.boolean_mask(x, x[:, 0] > 0), (X,)),
        "boolean_mask along an axis": (lambda x: tf.boolean_mask(x, [True, False, True, False], axis=1), (X,)),
        "where": (lambda x: tf.where(x > 0), (X,)),
        "where of three": (lambda x: tf.where(x > 0, x, tf.zeros_like(x)), (X,)),
        "gather with batches": (lambda x: tf.gather(x, tf.argmax(x, axis=1)[:, None], batch_dims=1), (X3,)),
        "gather_nd": (lambda x: tf.gather_nd(x, [[0, 1], [2, 3]]), (X3,)),
        "gather_nd with batches": (
            lambda x: tf.gather_nd(x, tf.zeros((tf.shape(x)[0], 1), tf.int32), batch_dims=1), (X3,)
        ),
        "scatter_nd": (lambda x: tf.scatter_nd([[1], [0]], x[:2], tf.shape(x)), (X,)),
        "tensor_scatter_nd_update": (lambda x: tf.tensor_scatter_nd_update(x, [[0, 1]], [5.0]), (X,)),
        "subscript": (lambda x: x[:, 1:-1, None, ::2], (X3,)),
        "subscript with dots": (lambda x: x[..., -1], (X3,)),
        "subscript backwards": (lambda x: x[1:, ::-1], (X3,)),
        "subscript up to a size": (lambda x: x[:, : tf.shape(x)[0]], (X3,)),
        "subscript at a size": (lambda x: x[tf.shape(x)[0] - 1], (X3,)),
        "slice": (lambda x: tf.slice(x, [0, 0, 0], [tf.shape(x)[0], 2, -1]), (X3,)),
        "dynamic_partition": (lambda x: tf.dynamic_partition(x, [0, 1, 0], 2), (X,)),
        "dynamic_stitch": (lambda x: tf.dynamic_stitch([[0, 2], [1]], [x[:2], x[2:3]]), (X,)),
    }  # fmt: skip


def _shapes() -> dict[str, Row]:
    return {
        "reshape by a stack": (lambda x: tf.reshape(x, [tf.shape(x)[0], -1]), (X3,)),
        "reshape by a concat": (lambda x: tf.reshape(x, tf.concat([tf.shape(x)[:1], [-1]], 0)), (X3,)),
        "reshape by a product": (lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0] * 4, 5])), (X3,)),
        "heads": (lambda x: tf.transpose(tf.reshape(x, [tf.shape(x)[0], 2, 2, 5]), [0, 2, 1, 3]), (X3,)),
        "squeeze": (lambda x: tf.squeeze(x[:, None], 1), (X,)),
        "broadcast_to": (lambda x: tf.broadcast_to(x[:, None], [tf.shape(x)[0], 2, 4]), (X,)),
        "broadcast_to a concat": (lambda x: tf.broadcast_to(x[None], tf.concat([[2], tf.shape(x)], 0)), (X,)),
        "tile by a size": (lambda x: tf.tile(x[None], [tf.shape(x)[0], 1, 1]), (X,)),
        "size": (lambda x: x / tf.cast(tf.size(x), tf.float32), (X,)),
        "rank": (lambda x: x * tf.cast(tf.rank(x), tf.float32), (X,)),
        "ensure_shape": (lambda x: tf.ensure_shape(x, [None, 4]) + 1, (X,)),
    }


def _moves() -> dict[str, Row]:
    return {
        "repeat": (lambda x: tf.repeat(x, 3, axis=0), (X,)),
        "repeat by numbers": (lambda x: tf.repeat(x, [1, 2, 0, 3], axis=1), (X,)),
        "pad": (lambda x: tf.pad(x, [[1, 1], [0, 2]], constant_values=3.0), (X,)),
        "pad to a size": (lambda x: tf.pad(x, [[0, 8 - tf.shape(x)[0]], [0, 0]]), (X,)),
        "split": (lambda x: tf.split(x, [1, -1], axis=1), (X,)),
        "unstack": (lambda x: tf.unstack(x, axis=1), (X,)),
        "stack": (lambda x: tf.stack([x, x * 2], axis=1), (X,)),
        "roll": (lambda x: tf.roll(x, [1, -1], [0, 1]), (X,)),
        "reverse_sequence": (lambda x: tf.reverse_sequence(x, [1, 2, 3], seq_axis=1, batch_axis=0), (X,)),
        "space_to_batch": (lambda x: tf.space_to_batch(x[..., None], [2, 1], [[0, 0], [0, 1]]), (array(2, 4, 5),)),
        "meshgrid": (lambda x: list(tf.meshgrid(x[:, 0], x[0])), (X,)),
    }


def _creations() -> dict[str, Row]:
    return {
        "ones": (lambda x: tf.ones(tf.shape(x)) * x, (X,)),
        "zeros": (lambda x: tf.zeros([tf.shape(x)[0], 7]), (X,)),
        "range": (lambda x: tf.cast(tf.range(tf.shape(x)[0]), tf.float32)[:, None] * x, (X,)),
        "eye": (lambda x: tf.eye(tf.shape(x)[0]), (X,)),
        "eye of a batch": (lambda x: tf.eye(4, batch_shape=[tf.shape(x)[0]]), (X,)),
        "a causal mask": (lambda x: tf.linalg.band_part(tf.ones((tf.shape(x)[0], tf.shape(x)[0])), -1, 0), (X,)),
        "sequence_mask": (lambda n: tf.sequence_mask(n, 6), (N,)),
        "sequence_mask without length": (lambda n: tf.sequence_mask(n), (N,)),
        "one_hot": (lambda n: tf.one_hot(n, 3, on_value=2.0, off_value=-1.0), (N,)),
        "linspace": (lambda x: tf.linspace(0.0, 1.0, 5)[None] * x[:, :1], (X,)),
        "linspace of vectors": (lambda x: tf.linspace(x[0], x[1], 5), (X,)),
    }


def _numbers() -> dict[str, Row]:
    return {
        "reduce_std": (lambda x: tf.math.reduce_std(x, axis=0), (X,)),
        "reduce_variance": (lambda x: tf.math.reduce_variance(x, axis=-1, keepdims=True), (X,)),
        "moments": (lambda x: list(tf.nn.moments(x, [0])), (X,)),
        "reduce_logsumexp": (lambda x: tf.reduce_logsumexp(x, axis=1), (X,)),
        "l2_normalize": (lambda x: tf.math.l2_normalize(x, axis=-1), (X,)),
        "clip_by_norm": (lambda x: tf.clip_by_norm(x, 1.0), (X,)),
        "softmax along another axis": (lambda x: tf.nn.softmax(x, axis=1), (X3,)),
        "gelu": (lambda x: tf.nn.gelu(x), (X,)),
        "silu": (lambda x: tf.nn.silu(x), (X,)),
        "saturate_cast": (lambda x: tf.saturate_cast(x * 100, tf.uint8), (X,)),
        "operators": (lambda n: [n % 3, n // 2, -n % 3, n / 2, n**2, ~n, n & 1], (N,)),
        "equality": (lambda x: [x == x, x != tf.constant(2.0), x == tf.constant([1.0, 2.0, 3.0])], (X,)),
        "unsorted_segment_mean": (lambda x: tf.math.unsorted_segment_mean(x, [0, 0, 1], 3), (X,)),
        "segment_mean": (lambda x: tf.math.segment_mean(x, [0, 0, 1]), (X,)),
        "a condition on a size": (lambda x: tf.cond(tf.shape(x)[0] > 2, lambda: x + 1, lambda: x - 1), (X,)),
    }


def _matrices() -> dict[str, Row]:
    return {
        "tensordot": (lambda x: tf.tensordot(x, tf.ones((4, 2)), 1), (X,)),
        "tensordot of two axes": (lambda x: tf.tensordot(x, tf.ones((4, 5, 2)), [[1, 2], [0, 1]]), (X3,)),
        "einsum of three": (lambda x: tf.einsum("ij,jk,kl->il", x, tf.ones((4, 2)), tf.ones((2, 3))), (X,)),
        "matvec": (lambda x: tf.linalg.matvec(x, tf.ones(5)), (X3,)),
        "norm": (lambda x: [tf.norm(x, axis=-1), tf.norm(x, ord=1, axis=-1)], (X,)),
        "normalize": (lambda x: list(tf.linalg.normalize(x, axis=-1)), (X,)),
        "cross": (lambda x: tf.linalg.cross(x[:, :3], x[:, 1:4]), (X,)),
        "diag": (lambda x: [tf.linalg.diag(x), tf.linalg.diag(x, k=1), tf.linalg.diag(x, k=-2)], (X,)),
        "diag_part": (lambda x: tf.linalg.diag_part(x), (X3,)),
        "set_diag": (lambda x: tf.linalg.set_diag(x, tf.ones((3, 4))), (X3,)),
        "trace": (lambda x: tf.linalg.trace(x), (X3,)),
        "triangular_solve": (lambda x: tf.linalg.triangular_solve(tf.eye(4) + tf.zeros((3, 4, 4)), x), (X3,)),
    }


def _orders() -> dict[str, Row]:
    return {
        "searchsorted": (lambda x: tf.searchsorted([0.0, 1.0, 2.0], tf.reshape(x, [-1]), side="right"), (X,)),
        "sort": (lambda x: [tf.sort(x, axis=-1), tf.sort(x, axis=0, direction="DESCENDING")], (X,)),
        "argsort": (lambda x: tf.argsort(tf.cast(x * 10, tf.int32), axis=-1, stable=True), (X,)),
        "top_k": (lambda x: list(tf.math.top_k(x, 2)), (X,)),
        "in_top_k": (lambda x: tf.math.in_top_k([0, 1, 2], x, 2), (X,)),
        "histogram_fixed_width": (lambda x: tf.histogram_fixed_width(x, [-3.0, 3.0], 5), (X,)),
        "bincount": (lambda n: [tf.math.bincount(n), tf.math.bincount(n, minlength=5, maxlength=5)], (N,)),
        "bincount of rows": (
            lambda n: tf.math.bincount(n, axis=-1, minlength=4, maxlength=4),
            (np.array([[1, 3], [0, 2]], np.int32),),
        ),
        "unique": (lambda n: list(tf.unique_with_counts(n)), (N,)),
        "cumulative_logsumexp": (lambda x: tf.math.cumulative_logsumexp(x, axis=1), (X,)),
        "cumsum": (lambda x: tf.cumsum(x, axis=1, exclusive=True, reverse=True), (X,)),
    }
