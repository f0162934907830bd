"""Lookup tables against TensorFlow's own results: of numbers, of words that are known, of live objects and of files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

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


class Scored(tf.Module):
    """Tables of each kind: constants, a file beside the model, one that was filled by hand; of numbers and of words."""

    def __init__(self, vocabulary: Path) -> None:
        super().__init__()
        vocabulary.write_text("dog\n42\ncat\n")
        self.scores = table(tf.constant([3, 1, 7], "int64"), tf.constant([0.5, 2.0, 9.0]), -1.0)
        self.names = table(tf.constant([0, 1, 7], "int64"), tf.constant(["cat", "dog", "cat"]), "none")
        self.numbers = table(tf.constant(["dog", "cat", "12", "012", "-3"]), tf.constant([5, 6, 7, 8, 9], "int64"), -1)
        whole, line = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        self.lines = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(str(vocabulary), tf.string, whole, tf.int64, line), -1
        )
        self.filled = tf.lookup.experimental.MutableHashTable("int64", "int64", -1)
        self.filled.insert(tf.constant([4, 5], "int64"), tf.constant([1, 2], "int64"))
        self.weight = tf.Variable([2.0, 3.0], name="weight")

    @tf.function(input_signature=[tf.TensorSpec([None, 1], "int64", "x")])
    def __call__(self, x: Any) -> Any:
        words = self.names.lookup(x)
        numbers = self.numbers.lookup(words) + self.lines.lookup(words) * 100 + self.filled.lookup(x)
        written = self.numbers.lookup(tf.strings.as_string(x)) + self.lines.lookup(tf.strings.as_string(x)) * 100
        return {"scores": self.scores.lookup(x) * self.weight, "numbers": numbers, "written": written}


X = np.array([[0], [1], [3], [7], [42], [4], [12], [-1], [-3]])


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scored, Path]:
    folder = tmp_path_factory.mktemp("tables")
    module = Scored(folder / "words.txt")
    tf.saved_model.save(module, str(folder / "saved"))
    (folder / "words.txt").unlink()
    return module, folder / "saved"


def agrees(source: Any, want: dict[str, Any], to: Path, **options: Any) -> Any:
    import torch

    made = converter.convert(source, "torch", to, overwrite=True, **options)
    assert made.report.verification.verdict == "equal"
    assert any("when the model was converted" in note for note in made.report.notes)
    got = made.load()(x=torch.tensor(X))
    for name, value in want.items():
        np.testing.assert_array_equal(got[name].detach(), value)
    return made


@pytest.mark.parametrize("kind", ["live", "loaded", "signature", "function"])
def test_a_model_with_tables(scored: tuple[Scored, Path], kind: str, tmp_path: Path) -> None:
    module, saved = scored
    want = {name: value.numpy() for name, value in module(tf.constant(X)).items()}
    source = {"live": module, "loaded": tf.saved_model.load(str(saved)) if kind == "loaded" else None}.get(kind, saved)
    made = agrees(source, want, tmp_path / "out", **({"signature": "__call__"} if kind == "function" else {}))
    assert [n for n, p in made.load().named_parameters()] == ["weight"]


def test_the_file_of_a_table_lies_beside_the_graph(scored: tuple[Scored, Path], tmp_path: Path) -> None:
    """A name that leads out of the model's folder, and one of a file that is missing, fill no table."""
    for name in ("../../words.txt", "lost.txt"):
        copy = tmp_path / name.replace("/", "_")
        shutil.copytree(scored[1], copy)
        (copy / "assets" / "words.txt").rename(tmp_path / "words.txt")
        model = saved_model_pb2.SavedModel.FromString((copy / "saved_model.pb").read_bytes())
        model.meta_graphs[0].asset_file_def[0].filename = name
        (copy / "saved_model.pb").write_bytes(model.SerializeToString())
        with pytest.raises(ConversionError, match="filled from a file that is not beside the graph"):
            converter.convert(copy, "torch", tmp_path / "out")


def graph_of_tensorflow_1() -> tuple[Any, Any, Any, Any]:
    """A graph whose table has words for keys that are computed, and the values 0, 1, 2: as `index_table_from_tensor` writes."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder("int64", [None, 1], "x")
        words = tf.strings.lower(tf.constant(["DOG", "Cat", "42"]))
        count = tf.cast(tf.range(tf.size(words)), "int64")
        found = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(words, count), -1)
        y = tf.identity(found.lookup(tf.gather(["cat", "bird", "dog"], x % 3)) + found.lookup(tf.strings.as_string(x)), "y")
        begin = tf.compat.v1.tables_initializer()
    return graph, x, y, begin


@pytest.mark.parametrize("kind", ["frozen", "saved"])
def test_tables_of_tensorflow_1(kind: str, tmp_path: Path) -> None:
    graph, x, y, begin = graph_of_tensorflow_1()
    with tf.compat.v1.Session(graph=graph) as session:
        session.run(begin)
        want = {"y": session.run(y, {x: X})}
        if kind == "saved":
            tf.compat.v1.saved_model.simple_save(session, str(tmp_path / "m"), {"x": x}, {"y": y}, legacy_init_op=begin)
    if kind == "frozen":
        (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
        agrees(tmp_path / "m.pb", {}, tmp_path / "out", graph_outputs=["y"])
    else:
        agrees(tmp_path / "m", want, tmp_path / "out")


def test_a_table_that_nothing_fills(tmp_path: Path) -> None:
    graph, *_ = graph_of_tensorflow_1()
    definition = graph.as_graph_def()
    definition.node.remove(next(n for n in definition.node if n.op == "LookupTableImportV2"))
    (tmp_path / "never.pb").write_bytes(definition.SerializeToString())
    with pytest.raises(ConversionError, match="the file does not fill it"):
        converter.convert(tmp_path / "never.pb", "torch", tmp_path / "out", graph_outputs=["y"])


@pytest.mark.parametrize("second", [[5, 6], [5, 7]])
def test_tables_that_share_a_name_are_one(second: list[int], tmp_path: Path) -> None:
    """What one node puts in, the other finds."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder("int64", [None], "x")
        tables = [
            tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.int64, shared_name="one") for _ in range(2)
        ]
        for handle, values in zip(tables, ([5, 6], second), strict=True):
            keys, held = tf.constant([1, 2], "int64"), tf.constant(values, "int64")
            tf.raw_ops.LookupTableImportV2(table_handle=handle, keys=keys, values=held)
        found = [
            tf.raw_ops.LookupTableFindV2(table_handle=h, keys=x, default_value=tf.constant(-1, "int64")) for h in tables
        ]
        tf.identity(found[0] + found[1], "y")
    (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    if second == [5, 6]:
        made = converter.convert(tmp_path / "m.pb", "onnx", tmp_path / "m.onnx", graph_outputs=["y"])
        assert made.report.verification.verdict == "equal"
        np.testing.assert_array_equal(converter.run(tmp_path / "m.onnx", {"x": np.array([1, 2, 3])})["y"], [10, 12, -2])
        return
    with pytest.raises(ConversionError, match="the file fills it several times"):
        converter.load(tmp_path / "m.pb", graph_outputs=["y"])


def test_a_dense_table_is_refused() -> None:
    """It shows its buckets, and not which key marks those that are empty."""
    found = tf.lookup.experimental.DenseHashTable("int64", "int64", -1, empty_key=-1, deleted_key=-2, initial_num_buckets=4)
    found.insert(tf.constant([4, 5, 6], "int64"), tf.constant([1, 2, 3], "int64"))
    traced = tf.function(found.lookup).get_concrete_function(tf.TensorSpec([None], "int64", "x"))
    with pytest.raises(ConversionError, match="which of its keys stand for none"):
        load(traced)
