"""Files: SavedModels of TensorFlow 2 and 1, frozen graphs; what is wrong with them in one line, and hostile ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import converter
from converter.errors import ConversionError, UsageError
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.tensorflow.agree import agree, floats, same, spec

v1 = tf.compat.v1


class Dense(tf.Module):
    def __init__(self, inputs: int, units: int, seed: int = 0) -> None:
        super().__init__()
        self.w = tf.Variable(floats(inputs, units, seed=seed), name="w")
        self.b = tf.Variable(floats(units), name="b", trainable=False)

    def __call__(self, x):
        return tf.nn.relu(x @ self.w + self.b)


class Net(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [Dense(3, 4), Dense(4, 2, seed=1)]
        self.calls = tf.Variable(0, trainable=False)
        self.shift = tf.constant(floats(2))

    @tf.function(input_signature=[spec(None, 3, name="x")])
    def __call__(self, x):
        return {"y": self.layers[1](self.layers[0](x)) + self.shift, "rest": (x, None)}

    @tf.function(input_signature=[spec(None, 3, name="x"), spec(None, 3, name="y")])
    def serve(self, x, y):
        self.calls.assign_add(1)
        return {"b": self.layers[0](x) - self.layers[0](y), "a": x * 2.0, "n": self.calls + 0}

    @tf.function(input_signature=[spec(2, 4, name="h")])
    def head(self, h):
        return self.layers[1](h)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A SavedModel with two signatures, and functions of the object."""
    net, folder = Net(), tmp_path_factory.mktemp("saved") / "net"
    tf.saved_model.save(net, str(folder), signatures={"serving_default": net.serve, "head": net.head})
    return folder


def compared(path: Path | str, case: dict[str, np.ndarray], want: dict[str, np.ndarray], **options):
    """Read a file and compare it with what TensorFlow computes; gives the model."""
    model = converter.load(path, **options)
    check(model)
    found = Evaluator("exact").run(model, case)
    assert list(found) == list(want)
    for name, value in want.items():
        same(name, found[name], np.asarray(value))
    return model


def test_signature(saved):
    """Names of the signature, weights by the attributes of the saved object, assignments as state."""
    x, y = floats(2, 3), floats(2, 3, seed=5)
    own = tf.saved_model.load(str(saved)).signatures["serving_default"](x=tf.constant(x), y=tf.constant(y))
    model = compared(saved, {"x": x, "y": y}, {n: own[n].numpy() for n in ("a", "b", "n")})
    kinds = {n: (w.kind, w.trainable) for n, w in model.weights.items()}
    assert kinds == {
        "layers.0.w": ("parameter", True), "layers.0.b": ("parameter", False), "calls": ("buffer", False),
    }  # fmt: skip
    assert list(model.state) == ["calls"]


def test_signature_by_name(saved):
    h = floats(2, 4)
    own = tf.saved_model.load(str(saved)).signatures["head"](tf.constant(h))
    compared(saved, {"h": h}, {n: t.numpy() for n, t in own.items()}, signature="head")


def test_function_by_name(saved):
    """A function of the saved object keeps its nested result, which no signature has."""
    x = floats(5, 3)
    own = tf.saved_model.load(str(saved))(tf.constant(x))
    model = compared(saved, {"x": x}, {"rest.0": x, "y": own["y"].numpy()}, signature="__call__")
    assert str(model.input_types["x"]) == "float32[batch, 3]" and "layers.1.w" in model.weights


def test_verified_against_the_file(saved):
    """The runtime runs the part that was read, from the same state each time."""
    done = converter.convert(saved, to="onnx", signature="serving_default")
    assert done.report.verification is not None and done.report.verification.passed
    first, second = (converter.run(saved, {"x": floats(1, 3), "y": floats(1, 3)})["n"] for _ in range(2))
    assert first == second == 1


def test_folder_named_by_its_file(saved):
    assert converter.load(saved / "saved_model.pb", framework="tensorflow").input_types


def test_loaded_objects(saved):
    """What `tf.saved_model.load` gives: an object that is called, a function of it, a signature."""
    loaded = tf.saved_model.load(str(saved))
    for source, case in (
        (loaded, {"x": floats(2, 3)}),
        (loaded.serve, {"x": floats(2, 3), "y": floats(2, 3)}),
        (loaded.signatures["head"], {"h": floats(2, 4)}),
    ):
        agree(source, [case], variables=[loaded.calls], order=sorted)  # TensorFlow's has no order
    report = converter.convert(loaded.signatures["head"], to="onnx").report.verification
    assert report is not None and report.passed


# -- TensorFlow 1 -------------------------------------------------------------------------------------------------------
def old(folder: Path, kind: str) -> tuple[Path, np.ndarray, np.ndarray]:
    """A graph of TensorFlow 1: a SavedModel with `resource` or `reference` variables, or `frozen`. Path, input, result."""
    x = floats(2, 3)
    with tf.Graph().as_default() as graph, v1.Session() as session:
        given = v1.placeholder(tf.float32, [None, 3], name="x")
        with v1.variable_scope("net/dense"):
            w = v1.get_variable("kernel", initializer=floats(3, 4), use_resource=kind == "resource")
            b = v1.get_variable("bias", initializer=floats(4), trainable=False, use_resource=kind == "resource")
            h = tf.nn.relu(tf.matmul(given, w) + b)
        keep = v1.placeholder_with_default(True, [], name="keep")
        y = tf.nn.softmax(tf.where(keep, h, h * 0.5), name="prob")
        session.run(v1.global_variables_initializer())
        want = session.run(y, {given: x})
        if kind != "frozen":
            v1.saved_model.simple_save(session, str(folder / kind), {"image": given}, {"prob": y})
            return folder / kind, x, want
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["prob"])
    (folder / "graph.pb").write_bytes(frozen.SerializeToString())
    return folder / "graph.pb", x, want


@pytest.mark.parametrize("kind", ["resource", "reference"])
def test_old_saved_model(tmp_path, kind):
    """Collections say what trains."""
    path, x, want = old(tmp_path, kind)
    model = compared(path, {"image": x}, {"prob": want})
    weights = {n: w.trainable for n, w in model.weights.items()}
    assert weights == {"net.dense.kernel": True, "net.dense.bias": False}
    assert any("keep is always its default" in n for n in model.notes)


def test_frozen_graph(tmp_path):
    """Ends are found, constants that are used as weights become parameters, and scopes are told by them."""
    path, x, want = old(tmp_path, "frozen")
    model = compared(path, {"x": x}, {"prob": want})
    weights = {n: (w.kind, w.trainable) for n, w in model.weights.items()}
    assert weights == {"net.dense.kernel": ("parameter", None), "net.dense.bias": ("parameter", None)}
    assert {n.origin.scope for n in model.nodes()} == {"", "net", "net.dense"}
    done = converter.convert(path, to="torch")
    assert done.report.verification is not None and done.report.verification.passed


def test_frozen_graph_between_tensors(tmp_path):
    path, _, _ = old(tmp_path, "frozen")
    h = floats(2, 4)
    bias = converter.load(path).weights["net.dense.bias"].data.numpy()
    options = {"graph_inputs": ("net/dense/MatMul",), "graph_outputs": ("net/dense/Relu:0",)}
    compared(path, {"MatMul": h}, {"Relu": np.maximum(h + bias, 0)}, inputs=["float32[n,4]"], **options)
    runner = converter.run(path, {"MatMul": h}, **options)
    same("Relu", runner["Relu"], np.maximum(h + bias, 0))


# -- what is wrong ------------------------------------------------------------------------------------------------------
def graph_file(path: Path, *nodes) -> Path:
    """A `.pb` file of nodes `(name, op, inputs)`, float32 wherever a type is asked for."""
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    for name, op, inputs in nodes:
        node = graph.node.add(name=name, op=op, input=inputs)
        for attribute in ("dtype", "T"):
            if op in ("Placeholder", "Relu") and (attribute == "dtype") == (op == "Placeholder"):
                node.attr[attribute].type = 1
        if op == "Placeholder":
            node.attr["shape"].shape.dim.add(size=3)
    path.write_bytes(graph.SerializeToString())
    return path


def said(error, *parts: str) -> None:
    assert "\n" not in str(error.value) and all(p in str(error.value) for p in parts), str(error.value)


def test_missing_parts(saved, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(saved, broken)
    next((broken / "variables").glob("variables.data-*")).unlink()
    with pytest.raises(UsageError) as error:
        converter.load(broken)
    said(error, "values of its variables are missing", "variables.data-00000-of-00001")
    shutil.rmtree(broken / "variables")
    with pytest.raises(UsageError) as error:
        converter.load(broken)
    said(error, "variables.index")
    (broken / "saved_model.pb").write_bytes(b"\xff no protobuf")
    with pytest.raises(UsageError) as error:
        converter.load(broken)
    said(error, "not a SavedModel")
    (broken / "saved_model.pb").unlink()
    with pytest.raises(UsageError) as error:
        converter.load(broken, framework="tensorflow")
    said(error, "no saved_model.pb")


def test_unknown_names(saved):
    with pytest.raises(UsageError) as error:
        converter.load(saved, signature="classify")
    said(error, "'classify'", "head, serving_default, __call__")
    with pytest.raises(UsageError) as error:
        converter.load(saved, tags=("train", "gpu"))
    said(error, "train, gpu", "there are serve")
    with pytest.raises(UsageError) as error:
        converter.load(saved, inputs={"z": "float32[2,3]"})
    said(error, "'z'", "x, y")


def test_frozen_graphs_that_are_wrong(tmp_path):
    with pytest.raises(UsageError) as error:
        converter.load(graph_file(tmp_path / "a.pb", ("a", "Const", []), ("b", "Relu", ["a"])))
    said(error, "no placeholder", "--graph-inputs")
    with pytest.raises(UsageError) as error:
        converter.load(graph_file(tmp_path / "b.pb", ("x", "Placeholder", []), ("y", "Relu", ["z"])))
    said(error, "no node 'z'")
    with pytest.raises(UsageError) as error:
        path = graph_file(tmp_path / "c.pb", ("x", "Placeholder", []), ("y", "Relu", ["x"]))
        converter.load(path, graph_outputs=("nowhere",))
    said(error, "no node 'nowhere'")
    (tmp_path / "d.pb").write_bytes(b"\xff\xff\xff")
    with pytest.raises(UsageError) as error:
        converter.load(tmp_path / "d.pb")
    said(error, "not a graph of TensorFlow")
    with pytest.raises(UsageError) as error:
        loop = [("x", "Placeholder", []), ("y", "AddV2", ["x", "z"]), ("z", "Relu", ["y"]), ("w", "Relu", ["y"])]
        converter.load(graph_file(tmp_path / "e.pb", *loop))
    said(error, "cycle", "y", "z")


def test_unknown_ops_are_all_named(tmp_path):
    """With the scopes that they stand in."""
    path = graph_file(
        tmp_path / "a.pb",
        ("x", "Placeholder", []),
        ("enc/a", "MyOp", ["x"]),
        ("dec/b", "YourOp", ["enc/a"]),
        ("c", "Relu", ["dec/b"]),
    )
    with pytest.raises(ConversionError) as error:
        converter.load(path)
    assert {(u.op, u.place) for u in error.value.unsupported} >= {("MyOp", "enc/a"), ("YourOp", "dec/b")}


# -- hostile files ------------------------------------------------------------------------------------------------------
def attack(folder: Path, name: str, body) -> Path:
    """A SavedModel whose function does something beside computing."""

    class Attack(tf.Module):
        @tf.function(input_signature=[spec(3, name="x")])
        def __call__(self, x):
            body()
            return x + 1.0

    tf.saved_model.save(Attack(), str(folder / name))
    return folder / name


def test_hostile(tmp_path):
    """Files are neither written nor read, and no Python runs: with the import, the runtime or a conversion."""
    mark = tmp_path / "mark"
    (tmp_path / "secret").write_text("secret")
    attacks = {
        "WriteFile": lambda: tf.io.write_file(str(mark), "written"),
        "ReadFile": lambda: tf.print(tf.io.read_file(str(tmp_path / "secret"))),
        "PrintV2": lambda: tf.print("x", output_stream=f"file://{mark}"),
        "EagerPyFunc": lambda: tf.py_function(lambda: mark.write_text("run"), [], []),
        "MatchingFiles": lambda: tf.print(tf.io.matching_files(str(tmp_path / "*"))),
    }
    for op, body in attacks.items():
        path = attack(tmp_path, op, body)
        for use in (
            lambda p: converter.load(p),
            lambda p: converter.run(p, {"x": np.zeros(3, np.float32)}),
            lambda p: converter.convert(p, to="onnx", output=tmp_path / "out.onnx"),
        ):
            with pytest.raises(ConversionError) as error:
                use(path)
            assert op in {u.op for u in error.value.unsupported}, op
        assert not mark.exists() and not (tmp_path / "out.onnx").exists()


# -- Keras --------------------------------------------------------------------------------------------------------------
def test_exported_by_keras(tmp_path):
    """Layers are told by the names of variables, however often Keras has built the model; statistics do not train."""
    import keras

    given = keras.Input((6, 4))
    h = keras.layers.MultiHeadAttention(2, 3, name="mixer")(given, given)
    h = keras.layers.BatchNormalization(name="steady")(keras.layers.Dense(5, activation="relu", name="wide")(h))
    net = keras.Model(given, keras.layers.LSTM(3, name="memory")(h))
    net.export(tmp_path / "net", verbose=False)
    x = floats(2, 6, 4)
    (name,) = converter.load(
        tmp_path / "net", inputs=[x]
    ).input_types  # Keras counts its tensors, those of other tests too
    model = compared(tmp_path / "net", {name: x}, {"output_0": np.asarray(net(x))}, inputs=[x])
    scopes = {n.origin.scope for n in model.nodes()}
    assert {"wide", "steady", "memory", "mixer.query", "mixer.attention_output"} <= scopes
    trained = sum(int(np.prod(w.type.shape)) for w in model.weights.values() if w.trainable)
    assert trained == sum(int(np.prod(v.shape)) for v in net.trainable_variables)
    assert model.weights["steady.moving_mean"].kind == "buffer"
