"""Lookup tables of numbers against TensorFlow's own results; tables of text and of files are refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
import tensorflow as tf

import converter
from converter.errors import ConversionError
from ir.eval import Evaluator
from tests.importers.tensorflow.harness import load

KEYS = {
    "in order": [0, 1, 2, 3],
    "from 5 on": [5, 6, 7, 8],
    "shuffled": [3, 1, 7, 4],
    "far apart": [-(2**62), 10**12, 3, 2**63 - 1],
}
ASKED = np.array([[0, 3, 5, 8, 9], [-1, 7, 2**63 - 1, -(2**63), 10**12]])


def table(keys: Any, values: Any, default: Any) -> Any:
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), default)


def same(call: Any, x: np.ndarray) -> Any:
    traced = tf.function(call).get_concrete_function(tf.TensorSpec([None, *x.shape[1:]], x.dtype, "x"))
    model = load(traced)
    for part in (x, x[:1], x[:0]):
        (got,) = Evaluator("exact").run(model, {"x": part}).values()
        want = traced(tf.constant(part)).numpy()
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)
    return model


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("kind", ["float32", "float64", "int32", "int64"])
def test_tables(keys: str, kind: str) -> None:
    found = table(tf.constant(KEYS[keys], "int64"), tf.constant([7, 5, 3, 2], kind), tf.constant(-1, kind))
    same(lambda x: found.lookup(x) + tf.cast(found.size(), kind), ASKED)


def test_a_table_without_keys() -> None:
    found = tf.lookup.experimental.MutableHashTable("int64", "int64", tf.constant(4, "int64"))
    same(lambda x: found.lookup(x) * found.size(), ASKED)
    same(lambda x: found.lookup(x) + x, ASKED)


def test_rows_of_a_table_that_was_filled_before() -> None:
    found = tf.lookup.experimental.MutableHashTable("int64", "float32", tf.constant([0.5, 0.25]))
    found.insert(tf.constant([4, 2], "int64"), [[1.0, 2.0], [3.0, 4.0]])
    same(lambda x: found.lookup(x), np.array([[2], [4], [3]]))


def test_a_model_with_a_table(tmp_path: Path) -> None:
    """Also as it is loaded from a file, whose own tables are refused."""

    class Scored(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = table(tf.constant([3, 1, 7], "int64"), tf.constant([0.5, 2.0, 9.0]), -1.0)
            self.weight = tf.Variable([2.0, 3.0], name="weight")

        @tf.function(input_signature=[tf.TensorSpec([None, 1], "int64", "x")])
        def __call__(self, x: Any) -> Any:
            return self.table.lookup(x) * self.weight

    module = Scored()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.__call__)
    for source in (module, tf.saved_model.load(str(tmp_path / "saved"))):
        made = converter.convert(source, "torch", tmp_path / "out", overwrite=True)
        assert made.report.verification.verdict == "equal"
        assert any("when the model was converted" in note for note in made.report.notes)
        assert [n for n, p in made.load().named_parameters()] == ["weight"]
    with pytest.raises(ConversionError, match="HashTableV2: a table that is filled .*\n.*\n.*tf.saved_model.load"):
        converter.convert(tmp_path / "saved", "torch", tmp_path / "file")


def test_text_is_refused() -> None:
    labels = table(tf.constant([0, 1], "int64"), tf.constant(["cat", "dog"]), "none")
    words = table(tf.constant(["cat", "dog"]), tf.constant([0, 1], "int64"), -1)
    for call, what in ((labels.lookup, "that gives text"), (lambda x: x + words.lookup(tf.constant("cat")), "of text")):
        traced = tf.function(call).get_concrete_function(tf.TensorSpec([None], "int64", "x"))
        with pytest.raises(ConversionError, match=f"a lookup {what}"):
            load(traced)
