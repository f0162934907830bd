"""The written file: names, weights, metadata, external data, state, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime import InferenceSession

from converter.errors import ConversionError, UsageError
from converter.exporters.base import ExportOptions
from converter.exporters.onnx import DEFAULT_OPSET, load, write, writer
from converter.exporters.onnx.names import Names, scoped
from converter.importers.onnx import load as read
from converter.runtimes.onnxruntime import OnnxRunner
from ir.core import Branch, Builder, Leaf, Model, Origin, Parameter, Scope, Signature
from ir.core.signature import to_json
from ir.data import Array, Weight
from ir.eval import Evaluator
from ir.types import DType, dtypes, symbol, tensor_type

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


def mlp() -> Model:
    """Two linear layers with a tied weight, a frozen bias, an unused buffer, in modules."""
    rng = np.random.default_rng(0)
    model = Model("mlp")
    x = model.graph.add_input(tensor_type("float32", symbol("batch"), 4), "x")
    arrays = {"body.0.weight": (4, 4), "body.0.bias": (4,), "table": (400, 2)}
    w, bias, _ = (model.add_weight(Weight(n, Array(rng.normal(size=s).astype(np.float32)))) for n, s in arrays.items())
    model.update_weight("body.0.weight", trainable=True, aliases=("head.weight",))
    model.update_weight("body.0.bias", trainable=False)
    model.update_weight("table", kind="buffer", persistent=False)
    b = Builder(model.graph)
    with b.at(Origin(path=(Scope("body", "Sequential"), Scope("0", "Linear")))):
        hidden = b.linear(x, w, bias)
    with b.at(Origin(path=(Scope("body", "Sequential"), Scope("1", "ReLU")))):
        hidden = b.relu(hidden)
    with b.at(Origin(path=(Scope("head", "Linear", 1),))):
        out = b.linear(hidden, w)
    model.graph.set_outputs([out, hidden])
    result = Branch("dict", (Leaf("logits"), Branch("list", (Leaf("states.0"),))), ("logits", "states"))
    model.signature = Signature((Parameter("x", Leaf("x")),), result)
    model.metadata = {"framework": "torch", "fingerprint": "abc"}
    return model


def written(model: Model, folder: Path, **options: object) -> Path:
    path = folder / "model.onnx"
    write(model, path, ExportOptions(**options))  # type: ignore[arg-type]
    onnx.checker.check_model(str(path), full_check=True)
    return path


def props(items: object) -> dict[str, str]:
    return {p.key: p.value for p in items}  # type: ignore[attr-defined]


def identity_model(input_name: str, output_names: tuple[str, ...]) -> Model:
    model = Model("identity")
    x = model.graph.add_input(tensor_type("float32", 3, 4), input_name)
    model.graph.set_outputs([x] * len(output_names))
    leaves = tuple(Leaf(n) for n in output_names)
    result = Branch("tuple", leaves)
    model.signature = Signature((Parameter("x", Leaf(input_name)),), result)
    return model


def test_names_and_metadata(tmp_path: Path) -> None:
    proto = load(written(mlp(), tmp_path))
    assert [n.name for n in proto.graph.node] == ["/body/0/Gemm", "/body/1/Relu", "/head/Gemm"]
    assert [i.name for i in proto.graph.input] == ["x"] and [o.name for o in proto.graph.output] == [
        "logits",
        "states.0",
    ]
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert json.loads(props(proto.graph.node[2].metadata_props)["isomorph.scope"]) == [["head", "Linear", 1]]
    model = props(proto.metadata_props)
    assert json.loads(model["isomorph.signature"]) == to_json(mlp().signature)
    assert json.loads(model["isomorph.source"])["fingerprint"] == "abc"
    assert proto.opset_import[0].version == DEFAULT_OPSET


def test_weights_keep_names_shapes_ties_and_flags(tmp_path: Path) -> None:
    model = mlp()
    tensors = {t.name: t for t in load(written(model, tmp_path)).graph.initializer}
    assert set(model.weights) <= set(tensors), "also those that nothing reads"
    for name, weight in model.weights.items():
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensors[name]), weight.data.numpy())
        record = json.loads(props(tensors[name].metadata_props)["isomorph.weight"])
        assert record["kind"] == weight.kind and record["trainable"] == weight.trainable
        assert tuple(record["aliases"]) == weight.aliases and record["persistent"] == weight.persistent


def test_read_back(tmp_path: Path) -> None:
    model = mlp()
    again = read(written(model, tmp_path))
    assert again.signature == model.signature
    for name, weight in again.weights.items():
        ours = model.weights[name]
        assert (weight.kind, weight.trainable, weight.aliases) == (ours.kind, ours.trainable, ours.aliases)
    assert [n.origin.path for n in again.graph] == [n.origin.path for n in model.graph]
    for name, value in Evaluator().run(again, {"x": X}).items():
        np.testing.assert_allclose(value, Evaluator().run(model, {"x": X})[name], rtol=1e-12)


def test_external_data(tmp_path: Path) -> None:
    model = mlp()
    path = written(model, tmp_path, external_data=True)
    data = tmp_path / "model.onnx.data"
    assert data.stat().st_size == 400 * 2 * 4, "small weights stay in the file"
    raw = onnx.load(str(path), load_external_data=False)
    locations = {t.name: e.value for t in raw.graph.initializer for e in t.external_data if e.key == "location"}
    assert locations == {"table": "model.onnx.data"}
    assert "logits" in OnnxRunner(path)({"x": X})
    loaded = {t.name: onnx.numpy_helper.to_array(t) for t in load(path).graph.initializer}
    np.testing.assert_array_equal(loaded["table"], model.weights["table"].data.numpy())


def test_external_data_past_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PROTOBUF_LIMIT", 2000)
    written(mlp(), tmp_path)
    assert (tmp_path / "model.onnx.data").exists()


def test_no_external_data_below_the_limit(tmp_path: Path) -> None:
    written(mlp(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("opset", [12, 99])
def test_opset_out_of_range(tmp_path: Path, opset: int) -> None:
    with pytest.raises(UsageError, match=f"opset {opset} cannot be written"):
        write(mlp(), tmp_path / "m.onnx", ExportOptions(opset=opset))
    assert not list(tmp_path.iterdir())


def test_refusals_come_all_at_once_and_write_nothing(tmp_path: Path) -> None:
    model = identity_model("x", ("y",))
    b = Builder(model.graph)
    x = model.graph.inputs[0]
    square = b.matmul(x, b.transpose(x, perm=(1, 0)))
    model.graph.set_outputs([b.svd(b.eigh(b.eigh(square)[1])[1])[0]])
    with pytest.raises(ConversionError) as caught:
        write(model, tmp_path / "m.onnx")
    assert {(u.op, u.count) for u in caught.value.unsupported} == {("eigh", 2), ("svd", 1)}
    assert all(u.file.startswith("converter/exporters/onnx/rules_") for u in caught.value.unsupported)
    assert not list(tmp_path.iterdir())


def test_a_model_the_checker_faults_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from converter.exporters.onnx.rules import register
    from converter.exporters.onnx.table import RULES

    register()
    wrong = RULES["relu"].__class__("relu", lambda c, node: c.op("Transpose", c.x(node, "x"), perm=[0, 1, 2]))
    monkeypatch.setitem(RULES.rules, "relu", wrong)
    with pytest.raises(ConversionError, match="checker"):
        write(mlp(), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_outputs_that_no_node_makes(tmp_path: Path) -> None:
    """An input, or one value, returned twice: each output is a value of its own."""
    model = identity_model("x", ("a", "b"))
    got = OnnxRunner(written(model, tmp_path))({"x": X})
    np.testing.assert_array_equal(got["a"], X)
    np.testing.assert_array_equal(got["b"], X)


def test_output_named_as_an_input(tmp_path: Path) -> None:
    """ONNX has one space of names: the output takes another, and metadata tells which it is."""
    model = identity_model("x", ("x",))
    model.graph.set_outputs([Builder(model.graph).neg(model.graph.inputs[0])])
    path = written(model, tmp_path)
    assert json.loads(props(load(path).metadata_props)["isomorph.names"]) == {"x_1": "x"}
    np.testing.assert_array_equal(OnnxRunner(path)({"x": X})["x"], -X)


def test_state_becomes_an_input_with_a_default_and_an_output(tmp_path: Path) -> None:
    model = identity_model("x", ("y",))
    count = model.add_weight(Weight("count", Array(np.zeros((), np.float32)), "buffer"))
    b = Builder(model.graph)
    model.graph.set_outputs([b.add(model.graph.inputs[0], count)])
    model.set_state("count", b.add(count, 1.0))
    path = written(model, tmp_path)
    proto = load(path)
    assert [i.name for i in proto.graph.input] == ["x", "count"]
    assert json.loads(props(proto.metadata_props)["isomorph.state"]) == {"count": "count.next"}
    runner = OnnxRunner(path)
    assert list(runner.input_types) == ["x"] and list(runner({"x": X})) == ["y"]
    assert InferenceSession(path.read_bytes()).run(["count.next"], {"x": X})[0] == 1


def test_batch_norm_statistics_are_no_outputs(tmp_path: Path) -> None:
    model = identity_model("x", ("y",))
    stats = [model.add_weight(Weight(n, Array(np.ones(4, np.float32)), "buffer")) for n in ("mean", "var")]
    out, *moved = Builder(model.graph).batch_norm(model.graph.inputs[0], None, None, *stats)
    model.graph.set_outputs([out])
    for name, value in zip(("mean", "var"), moved, strict=True):
        model.set_state(name, value)
    proto = load(written(model, tmp_path))
    assert [o.name for o in proto.graph.output] == ["y"] and len(proto.graph.input) == 1
    assert any("inference form" in note for note in model.notes)


@pytest.mark.parametrize("kind", [d for d in dtypes.ALL if not d.is_complex], ids=str)
def test_weights_of_every_type(tmp_path: Path, kind: DType) -> None:
    """An odd number of elements: two 4-bit ones share a byte."""
    values = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]).astype(kind.numpy)
    model = identity_model("x", ("y",))
    model.add_weight(Weight("w", Array(values)))
    (tensor,) = load(written(model, tmp_path)).graph.initializer
    found = onnx.numpy_helper.to_array(tensor)
    np.testing.assert_array_equal(found.astype(np.float32), values.astype(np.float32))
    assert found.shape == (3, 3) and found.dtype == kind.numpy


def test_complex_weights_are_pairs_of_reals(tmp_path: Path) -> None:
    model = identity_model("x", ("y",))
    model.add_weight(Weight("w", Array(np.array([1 + 2j, 3 - 4j], np.complex64))))
    (tensor,) = load(written(model, tmp_path)).graph.initializer
    assert tensor.name == "w"
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensor), [[1, 2], [3, -4]])


def test_linear_reads_the_weight_as_it_lies(tmp_path: Path) -> None:
    gemm = load(written(mlp(), tmp_path)).graph.node[0]
    assert list(gemm.input) == ["x", "body.0.weight", "body.0.bias"]
    assert {a.name: a.i for a in gemm.attribute} == {"transB": 1}


def test_equal_constants_are_one(tmp_path: Path) -> None:
    model = identity_model("x", ("y",))
    b = Builder(model.graph)
    model.graph.set_outputs([b.mul(b.mul(model.graph.inputs[0], 0.25), 0.25)])
    assert [t.name for t in load(written(model, tmp_path)).graph.initializer] == ["const/0.25:float32"]


def test_names_are_unique() -> None:
    names = Names(["x"])
    assert [names.unique("x"), names.unique("y"), names.unique("y"), names.unique("x")] == ["x_1", "y", "y_1", "x_2"]
    assert scoped((Scope("a"), Scope("0")), "Conv") == "/a/0/Conv"
