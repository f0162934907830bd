"""Variables read and written at positions, against TensorFlow's own results over several calls."""

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

START = array(4, 3)
ROWS = np.array([2, 0], np.int32)
VECTORS = np.array([[2, 1], [0, 0]], np.int64)
UPDATES = array(2, 3, seed=3)
RAW = tf.raw_ops

WRITES: dict[str, Callable[[Any, Any], Any]] = {
    **{
        op: lambda v, u, op=op: getattr(RAW, f"ResourceScatter{op}")(resource=v.handle, indices=ROWS, updates=u)
        for op in ("Update", "Add", "Sub", "Mul", "Max", "Min")
    },
    "one number": lambda v, u: RAW.ResourceScatterAdd(resource=v.handle, indices=ROWS, updates=u[0, 0]),
    **{
        f"{op} of elements": lambda v, u, op=op: getattr(RAW, f"ResourceScatterNd{op}")(
            ref=v.handle, indices=VECTORS, updates=u[:, 0]
        )
        for op in ("Update", "Add", "Sub", "Max", "Min")
    },
    "ignored": lambda v, u: RAW.ResourceScatterNdAdd(
        ref=v.handle, indices=[[9, 0], [1, 1]], updates=u[:, 0], bad_indices_policy="IGNORE"
    ),
    "slice": lambda v, u: v[1:3].assign(u),
    "backwards": lambda v, u: v[::-2, 1].assign(u[:, 1]),
    "index": lambda v, u: v[-1].assign(u[0]),
}


def _module(write: Callable[[Any, Any], Any]) -> Any:
    class Memory(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.held = tf.Variable(START, trainable=False)

        @tf.function
        def __call__(self, u: Any) -> Any:
            write(self.held, u)
            return self.held + 1.0

    return Memory()


@pytest.mark.parametrize("name", WRITES)
def test_writes_are_state(name: str) -> None:
    memory = _module(WRITES[name])
    model = load(memory.__call__.get_concrete_function(tf.TensorSpec((2, 3), "float32", "u")))
    assert len(model.state) == 1
    held: dict[str, np.ndarray] = {}
    for step in (1, 2):
        given = UPDATES * np.float32(step)
        got, after = Evaluator("exact").run_with_state(model, {"u": given}, held)
        np.testing.assert_allclose(next(iter(got.values())), memory(tf.constant(given)).numpy(), 1e-6)
        held = after
    assert len(held) == 1


def test_reads() -> None:
    table = tf.Variable(START)

    @tf.function
    def call(i: Any) -> Any:
        batched = tf.gather(table, [[0], [1], [2], [0]], batch_dims=1)
        return tf.nn.embedding_lookup(table, i), batched, table.gather_nd(VECTORS)

    model = load(call.get_concrete_function(tf.TensorSpec((None,), "int64", "i")))
    assert [n.op.name for n in model.nodes()].count("embedding") == 1  # the rows of a weight
    for i in (np.array([3, 0, 3]), np.zeros(0, np.int64)):
        got = Evaluator("exact").run(model, {"i": i})
        for mine, theirs in zip(got.values(), call(tf.constant(i)), strict=True):
            np.testing.assert_array_equal(mine, theirs.numpy())
    for bad in (4, -1):
        with pytest.raises((EvaluationError, IndexError)):
            Evaluator("exact").run(model, {"i": np.array([bad])})


def test_division_in_place_is_refused() -> None:
    memory = _module(lambda v, u: RAW.ResourceScatterDiv(resource=v.handle, indices=ROWS, updates=u))
    with pytest.raises(ConversionError, match="ResourceScatterDiv"):
        load(memory.__call__.get_concrete_function(tf.TensorSpec((2, 3), "float32", "u")))
