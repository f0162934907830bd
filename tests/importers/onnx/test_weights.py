"""Which stored tensors become parameters, buffers and constants, under which names, and where their bytes lie."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from converter.errors import UsageError
from converter.importers.base import ImportOptions
from converter.importers.onnx import load
from fixtures.onnx import build as files
from ir.core import Model
from tests.importers.onnx.models import FLOAT, INT64, agree, floats, model, node, op_names

X: Any = ("x", FLOAT, ["n", 4])


def kinds(taken: Model) -> dict[str, str]:
    return {n: w.kind for n, w in taken.weights.items()}


def test_roles() -> None:
    nodes = [
        node("Gemm", "x fc.weight fc.bias", "a", transB=1),
        node("Mul", "a scale", "b"), node("Add", "b shift", "c"), node("Div", "c temperature", "d"),
        node("BatchNormalization", "d g b0 mean var", "e"), node("MatMul", "e out.weight", "f"), node("Add", "f out.bias", "y"),
    ]  # fmt: skip
    stored = {
        "fc.weight": floats(4, 4), "fc.bias": floats(4), "scale": floats(4), "shift": floats(1, 4), "temperature": np.float32(2.0),
        "g": floats(4), "b0": floats(4), "mean": floats(4), "var": np.ones(4, np.float32), "out.weight": floats(4, 1),
        "out.bias": floats(1),
    }  # fmt: skip
    proto = model(nodes, [X], ["y"], stored)
    taken = agree(proto, {"x": floats(3, 4)})
    assert kinds(taken) == {
        "fc.weight": "parameter", "fc.bias": "parameter", "scale": "parameter", "shift": "parameter", "g": "parameter",
        "b0": "parameter", "mean": "buffer", "var": "buffer", "out.weight": "parameter", "out.bias": "parameter",
    }  # fmt: skip
    assert taken.weights["fc.weight"].type.shape == (4, 4)
    assert all(w.trainable is None for w in taken.weights.values())
    assert set(taken.state) == {"mean", "var"}


def test_tables_of_positions_are_constants() -> None:
    """Rows that only scale other tensors (sines and cosines) are no embedding; token tables are."""
    nodes = [
        node("Gather", "table ids", "t"), node("Gather", "cos ids", "c"), node("Neg", "t", "q"), node("Mul", "q c", "y"),
    ]  # fmt: skip
    proto = model(nodes, [("ids", INT64, ["n"])], ["y"], {"table": floats(9, 4), "cos": floats(9, 4)})
    taken = agree(proto, {"ids": np.array([1, 0, 8])})
    assert kinds(taken) == {"table": "parameter", "cos": "constant"}


def test_one_weight_used_twice_stays_one() -> None:
    proto = files.build("shared_initializer")
    assert list(load(proto).weights) == ["embedding.weight"]


def test_identity_of_a_weight_is_the_weight() -> None:
    nodes = [node("Identity", "w", "tied"), node("MatMul", "x w", "h"), node("MatMul", "h tied", "y")]
    taken = load(model(nodes, [X], ["y"], {"w": floats(4, 4)}))
    assert list(taken.weights) == ["w"]
    assert len(taken.weight_value("w").uses) == 2


def test_initialiser_that_is_an_input_is_a_weight() -> None:
    proto = model([node("MatMul", "x w", "y")], [X, ("w", FLOAT, [4, 2])], ["y"], {"w": floats(4, 2)})
    taken = load(proto)
    assert list(taken.input_types) == ["x"]
    assert kinds(taken) == {"w": "parameter"}


def test_gemm_forms() -> None:
    """transB keeps the weight as a linear layer's; every other form is spelled out, alpha and beta exactly."""
    for attributes, want in (
        ({"transB": 1}, ["linear"]),
        ({"transB": 1, "alpha": 0.5}, None),
        ({"beta": 0.25}, None),
        ({"transA": 1, "transB": 1}, None),
        ({}, ["matmul", "add"]),
        ({"beta": 0.0}, ["matmul"]),
    ):
        made = node("Gemm", "x w b", "y", **attributes)
        proto = model([made], [("x", FLOAT, [4, 4])], ["y"], {"w": floats(4, 4, seed=1), "b": floats(4, seed=2)})
        taken = agree(proto, {"x": floats(4, 4)})
        assert want is None or op_names(taken) == want
        assert taken.weights["w"].kind == "parameter"


def test_recurrent_weights_are_split_lazily_and_named() -> None:
    taken = load(files.build("lstm"))
    names = list(taken.weights)
    assert [n.rsplit(".", 1)[-1] for n in names][:4] == ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    assert sum(n.endswith("_reverse") for n in names) == 4
    assert {type(w.data).__name__ for w in taken.weights.values()} == {"Lazy"}


def test_trainable_expression() -> None:
    proto = model([node("Gemm", "x w b", "y", transB=1)], [X], ["y"], {"w": floats(4, 4), "b": floats(4)})
    taken = load(proto, options=ImportOptions(trainable="^w$"))
    assert {n: w.trainable for n, w in taken.weights.items()} == {"w": True, "b": False}
    with pytest.raises(UsageError, match="matches no parameter"):
        load(proto, options=ImportOptions(trainable="nothing"))


def test_trainable_scalar() -> None:
    """A scalar is a literal unless it is asked for by name."""
    proto = model([node("Mul", "x logit_scale", "y")], [X], ["y"], {"logit_scale": np.float32(2.5)})
    assert not load(proto).weights
    assert kinds(load(proto, options=ImportOptions(trainable="logit_scale"))) == {"logit_scale": "parameter"}


def test_recorded_weights_are_taken_as_recorded() -> None:
    proto = model([node("Mul", "x w", "y")], [X], ["y"], {"w": np.float32(2.5)})
    record = {"kind": "parameter", "trainable": True, "aliases": ["head.scale"]}
    proto.graph.initializer[0].metadata_props.add(key="isomorph.weight", value=json.dumps(record))
    weight = load(proto).weights["w"]
    assert (weight.kind, weight.trainable, weight.aliases) == ("parameter", True, ("head.scale",))


def test_broken_records_are_ignored() -> None:
    proto = model([node("Mul", "x w", "y")], [X], ["y"], {"w": floats(4)})
    proto.graph.initializer[0].metadata_props.add(key="isomorph.weight", value="{not json")
    assert kinds(load(proto)) == {"w": "parameter"}


def test_shared_statistics_are_frozen() -> None:
    """Two batch norms over the same statistics cannot both update them."""
    nodes = [node("BatchNormalization", "x g b m v", "h"), node("BatchNormalization", "h g b m v", "y")]
    stored = {"g": floats(4), "b": floats(4), "m": floats(4), "v": np.ones(4, np.float32)}
    taken = agree(model(nodes, [X], ["y"], stored), {"x": floats(3, 4)})
    assert [n.attrs["frozen"] for n in taken.graph if n.op.name == "batch_norm"] == [False, True]


@pytest.mark.parametrize(
    "move", ["Unsqueeze w ax", "Reshape w shape", "Slice w zero two", "Gather w zero", "Transpose w", "Cast w"]
)
def test_moved_weights_stay_weights(move: str) -> None:
    """Small weights are not folded into literals by the shape evaluator."""
    op, *inputs = move.split()
    stored = {"ax": np.array([0]), "shape": np.array([2, 2]), "zero": np.array([0]), "two": np.array([2])}
    stored = {k: v for k, v in stored.items() if k in inputs}
    attributes = {"to": FLOAT} if op == "Cast" else {}
    nodes = [node(op, " ".join(inputs), "m", **attributes), node("Add", "x m", "y")]
    proto = model(nodes, [("x", FLOAT, [2, 2])], ["y"], {"w": floats(2, 2), **stored})
    taken = agree(proto, {"x": floats(2, 2, seed=1)})
    assert kinds(taken) == {"w": "parameter"}
