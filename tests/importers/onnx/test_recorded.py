"""What our own exporter records comes back: weights and their kinds, state, structure, names, module paths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from converter.exporters.base import ExportOptions
from converter.exporters.onnx import write
from converter.importers.onnx import load
from fixtures.onnx import build as files
from ir.core import Branch, Builder, Leaf, Model, Origin, Parameter, Scope, Signature
from ir.data import Array, Weight
from ir.types import dtypes, symbol, tensor_type
from ir.verify import check
from tests.importers.onnx.models import floats

ROUND_TRIPS = (
    "cnn_opset13",
    "shared_initializer",
    "linear_net",
    "lstm",
    "gru",
    "rnn_reverse_opset7",
    "loop",
    "scan",
    "functions",
)


def again(model: Model, folder: Path, **options: object) -> Model:
    write(model, folder / "m.onnx", ExportOptions(**options))
    twin = load(folder / "m.onnx")
    check(twin)
    return twin


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_weights_come_back(name: str, tmp_path: Path) -> None:
    model = load(files.build(name))
    twin = again(model, tmp_path)
    assert {n: (w.kind, w.type) for n, w in twin.weights.items()} == {
        n: (w.kind, w.type) for n, w in model.weights.items()
    }
    for key, weight in model.weights.items():
        np.testing.assert_array_equal(twin.weights[key].data.numpy(), weight.data.numpy())
    assert twin.signature == model.signature
    assert set(twin.state) == set(model.state)


def test_packed_weights_are_seen_through(tmp_path: Path) -> None:
    """The recurrent layer reads the parameters themselves, not slices of a concatenation."""
    for name in ("lstm", "gru"):
        twin = again(load(files.build(name)), tmp_path)
        node = next(n for n in twin.graph if n.op.name == name)
        assert all(v.is_weight for v in node.operands["weights"])


def _counter() -> Model:
    """y = x + n, with n, a state, one more after each call; nested structure and a name ONNX would not keep."""
    model = Model("counter")
    x = model.graph.add_input(tensor_type(dtypes.float32, symbol("batch"), 3), "batch.x")
    n = model.add_weight(Weight("steps", Array(np.zeros(3, np.float32)), "buffer", False, ("count",), False))
    b = Builder(model.graph, origin=Origin("add", path=(Scope("core", "Core"), Scope("0", "Step", 1))))
    model.graph.set_outputs([b.add(x, n)])
    model.set_state("steps", b.add(n, np.ones(3, np.float32)))
    tree = Branch("dict", (Leaf("batch.x"),), ("x",))
    model.signature = Signature((Parameter("batch", tree),), Branch("dict", (Leaf("y"),), ("y",)))
    model.modules = {"core": "Core", "unused": "Identity"}
    model.notes = ["said before"]
    return model


def test_state_structure_and_paths(tmp_path: Path) -> None:
    model = _counter()
    twin = again(model, tmp_path)
    assert twin.signature == model.signature
    assert list(twin.state) == ["steps"]
    weight = twin.weights["steps"]
    assert (weight.kind, weight.trainable, weight.aliases, weight.persistent) == ("buffer", False, ("count",), False)
    assert twin.modules == model.modules
    assert "said before" in twin.notes
    assert next(iter(twin.graph)).origin.path == next(iter(model.graph)).origin.path


def test_records_that_no_longer_fit_are_left_out(tmp_path: Path) -> None:
    import onnx

    write(_counter(), tmp_path / "m.onnx", ExportOptions())
    proto = onnx.load(tmp_path / "m.onnx")
    for prop in proto.metadata_props:
        prop.value = {"isomorph.state": '{"steps": "nowhere"}', "isomorph.signature": "[1"}.get(prop.key, "null")
    twin = load(proto)
    assert not twin.state
    assert any("no longer" in n or "does not fit" in n for n in twin.notes)


def test_constants_of_our_exporter_are_no_weights(tmp_path: Path) -> None:
    model = Model("m")
    x = model.graph.add_input(tensor_type(dtypes.float32, 2, 30), "x")
    b = Builder(model.graph)
    model.graph.set_outputs([b.add(x, floats(30))])
    model.signature = Signature((Parameter("x", Leaf("x")),), Leaf("y"))
    assert not again(model, tmp_path).weights
