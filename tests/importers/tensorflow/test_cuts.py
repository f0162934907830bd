"""Models that are served text: the message says where they can be cut, and what is behind the cut is converted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
import tensorflow as tf

import converter
from converter.errors import ConversionError, UsageError
from ir.eval import Evaluator
from tests.importers.tensorflow.agree import floats


class Served(tf.Module):
    """Examples and pictures, which are read inside of functions that call functions."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(floats(3, 3, 3, 4), name="kernel")

    @tf.function(input_signature=[tf.TensorSpec([None], "string", "jpeg"), tf.TensorSpec([None], "float32", "scale")])
    def pictures(self, jpeg: Any, scale: Any) -> Any:
        return {"y": self.behind(tf.map_fn(self.read, jpeg, fn_output_signature=tf.TensorSpec([8, 8, 3], "float32")), scale)}

    @tf.function
    def read(self, jpeg: Any) -> Any:
        return tf.image.resize(tf.cast(tf.io.decode_jpeg(jpeg, channels=3), "float32"), [8, 8])

    @tf.function
    def behind(self, x: Any, scale: Any) -> Any:
        return tf.reduce_mean(tf.nn.conv2d(x / 255.0, self.kernel, 1, "SAME"), [1, 2]) * scale[:, None]

    @tf.function(input_signature=[tf.TensorSpec([None], "string", "examples")])
    def examples(self, examples: Any) -> Any:
        kinds = {"a": tf.io.FixedLenFeature([3], "float32"), "b": tf.io.FixedLenFeature([], "int64")}
        found = tf.io.parse_example(examples, {**kinds, "c": tf.io.FixedLenFeature([], "string")})
        total = tf.reduce_sum(found["a"], -1) * tf.cast(found["b"], "float32")
        return {"y": total + tf.cast(tf.strings.length(found["c"]), "float32")}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[Served, Path]:
    module, folder = Served(), tmp_path_factory.mktemp("served") / "saved"
    tf.saved_model.save(module, str(folder), signatures={"pictures": module.pictures, "examples": module.examples})
    return module, folder


def proposed(folder: Path, signature: str) -> list[str]:
    """The tensors that the message names."""
    with pytest.raises(ConversionError, match="holds string, which is no tensor of numbers") as error:
        converter.load(folder, signature=signature)
    found = re.search(r"--graph-inputs (\S+)$", str(error.value), re.MULTILINE)
    assert found is not None
    return found[1].split(",")


def test_pictures(served: tuple[Served, Path]) -> None:
    """The cut is behind the loop that reads them; inputs that are numbers keep their names."""
    module, folder = served
    model = converter.load(folder, signature="pictures", graph_inputs=proposed(folder, "pictures"))
    x, scale = floats(2, 8, 8, 3), floats(2)
    assert list(model.input_types) == ["scale", "TensorListStack"]
    assert [w.name for w in model.parameters()] == ["kernel"]
    (got,) = Evaluator("exact").run(model, {"scale": scale, "TensorListStack": x}).values()
    np.testing.assert_allclose(got, module.behind(x, scale), rtol=1e-5, atol=1e-6)


def test_functions_of_the_saved_object(served: tuple[Served, Path]) -> None:
    """They are cut as signatures are, and outputs are chosen."""
    module, folder = served
    cut = proposed(folder, "pictures")
    found = converter.load(folder, signature="pictures", graph_inputs=cut[1:], graph_outputs=["Conv2D"])
    again = converter.load(folder, signature="behind", graph_outputs=["Conv2D"])
    x = floats(2, 8, 8, 3)
    want = tf.nn.conv2d(x / 255.0, module.kernel, 1, "SAME")
    for model in (found, again):
        (name,) = model.input_types
        assert list(model.output_types) == ["Conv2D"] and [w.name for w in model.parameters()] == ["kernel"]
        (got,) = Evaluator("exact").run(model, {name: x}).values()
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_examples(served: tuple[Served, Path], tmp_path: Path) -> None:
    """Several outputs of one node, whose names in Python are different."""
    _, folder = served
    cut = proposed(folder, "examples")
    assert len(cut) == 3
    made = converter.convert(folder, "torch", tmp_path / "out", signature="examples", graph_inputs=cut)
    assert made.report.verification.verdict == "equal"
    given = {n: np.ones([2, *t.shape[1:]], t.dtype.numpy) * 3 for n, t in made.model.input_types.items()}
    np.testing.assert_allclose(converter.run(tmp_path / "out", given)["y"], [30, 30])


def test_cuts_of_frozen_graphs(tmp_path: Path) -> None:
    """Functions that a graph calls are looked into, too."""

    @tf.function
    def inner(text: Any) -> Any:
        return tf.strings.to_number(text) * 2.0

    with tf.Graph().as_default() as graph:
        text = tf.compat.v1.placeholder("string", [2], "text")
        tf.identity(inner(text) + 1.0, "y")
    (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(ConversionError, match="--graph-inputs StringToNumber$"):
        converter.load(tmp_path / "m.pb")
    model = converter.load(tmp_path / "m.pb", graph_inputs=["StringToNumber"], inputs=["float32[n]"])
    (got,) = Evaluator("exact").run(model, {"StringToNumber": floats(2)}).values()
    np.testing.assert_allclose(got, floats(2) * 2 + 1)
    with pytest.raises(UsageError, match="the graph has no node 'nowhere'"):
        converter.load(tmp_path / "m.pb", graph_inputs=["nowhere"])


def test_text_of_live_functions() -> None:
    call = tf.function(lambda text: tf.strings.to_number(text), input_signature=[tf.TensorSpec([None], "string")])
    with pytest.raises(ConversionError, match=r"holds string.*\n.*save the model, and cut the file"):
        converter.load(call)
    call = tf.function(tf.strings.to_number, input_signature=[tf.TensorSpec([None], "string", "text")])
    with pytest.raises(UsageError, match="out_type: a DType has no place in a signature: wrap the function"):
        converter.load(call)


def test_names_that_are_no_names_in_python(tmp_path: Path) -> None:
    """A signature of TensorFlow 1 may name its tensors by any text."""
    folder = tmp_path / "saved"
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        x, y = (tf.compat.v1.placeholder("float32", [None, 2]) for _ in range(2))
        ends = {"2nd:0": x, "class": y}
        tf.compat.v1.saved_model.simple_save(session, str(folder), ends, {"the sum": x + 2 * y})
    made = converter.convert(folder, "torch", tmp_path / "out")
    assert made.report.verification.verdict == "equal"
    assert [p.name for p in made.model.signature.parameters] == ["input_2nd_0", "class_"]
    got = converter.run(tmp_path / "out", {"2nd:0": floats(1, 2), "class": np.ones((1, 2), "float32")})
    np.testing.assert_allclose(got["the sum"], floats(1, 2) + 2, rtol=1e-6)
