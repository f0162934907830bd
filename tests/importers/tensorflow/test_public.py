"""Functions of TensorFlow's public API with known and with open sizes, against TensorFlow itself."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")
import tensorflow as tf

from ir.eval import Evaluator
from tests.importers.tensorflow.harness import compared, load
from tests.importers.tensorflow.public_functions import X3, X, rows

ROWS = rows()


@pytest.mark.parametrize("opened", [False, True], ids=["known", "open"])
def test_public_functions(opened: bool) -> None:
    wrong = []
    for name, (call, arrays) in ROWS.items():
        specs = [
            tf.TensorSpec([None if opened and i == 0 else n for i, n in enumerate(a.shape)], a.dtype) for a in arrays
        ]
        traced = tf.function(call, autograph=False).get_concrete_function(*specs)
        try:
            found = compared(load(traced), traced, arrays)
        except Exception as error:  # noqa: BLE001 - each is named
            found = f"{type(error).__name__} {error}"
        if found:
            wrong.append(f"{name}: {found}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "name", ["reshape by a product", "heads", "broadcast_to a concat", "tile by a size", "zeros", "pad"]
)
def test_sizes_are_no_nodes(name: str) -> None:
    """Arithmetic of sizes ends as attributes."""
    call, arrays = ROWS[name]
    specs = [tf.TensorSpec([None, *a.shape[1:]], a.dtype) for a in arrays]
    model = load(tf.function(call, autograph=False).get_concrete_function(*specs))
    assert not {n.op.name for n in model.nodes()} & {"dim", "bind_dim", "stack", "cast"}


def test_open_sizes_follow_the_input() -> None:
    for name in ("heads", "a causal mask", "eye", "subscript up to a size"):
        call, (array,) = ROWS[name]
        traced = tf.function(call, autograph=False).get_concrete_function(
            tf.TensorSpec([None, *array.shape[1:]], "float32")
        )
        model = load(traced)
        for size in (1, 2, 4):
            given = np.concatenate([array] * 2)[:size]
            assert not compared(model, traced, [given]), name
    assert X.shape[0] == X3.shape[0] == 3


@pytest.mark.parametrize("op", ["DepthToSpace", "SpaceToDepth"])
def test_blocks_with_channels_first(op: str) -> None:
    """Which have no kernel on the CPU: as with channels last, turned."""
    image = np.arange(2 * 4 * 4 * 6, dtype=np.float32).reshape(2, 4, 4, 6)
    call = getattr(tf.raw_ops, op)

    @tf.function(autograph=False)
    def first(x: tf.Tensor) -> tf.Tensor:
        return call(input=x, block_size=2, data_format="NCHW")

    model = load(first.get_concrete_function(tf.TensorSpec((2, 4, 4, 6), "float32", "x")))
    (got,) = Evaluator("exact").run(model, {"x": image}).values()
    want = call(input=np.transpose(image, (0, 2, 3, 1)), block_size=2, data_format="NHWC").numpy()
    np.testing.assert_array_equal(got, np.transpose(want, (0, 3, 1, 2)))
