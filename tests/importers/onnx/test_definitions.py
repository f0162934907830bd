"""Operators by their definition's body, those of opset 6, and what a gather on a table becomes."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.eval import Evaluator
from ir.eval.evaluator import EvaluationError

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def model(nodes, inputs, outputs, opset, stored=()):
    """A model of named inputs [(name, type, shape)] and float outputs of unknown shape."""
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info(*i) for i in inputs],
        [helper.make_tensor_value_info(o, FLOAT, None) for o in outputs], list(stored),
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def table() -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(4, 3), "table")


def looked_up(node: onnx.NodeProto):
    return load(model([node], [("ids", INT64, [2])], ["y"], 17, [table()]))


def ops(found) -> list[str]:
    return [n.op.name for n in found.graph]


def test_a_gather_counts_from_the_end() -> None:
    found = looked_up(helper.make_node("Gather", ["table", "ids"], ["y"]))
    assert ops(found) == ["gather"] and not found.notes
    out = Evaluator("exact").run(found, {"ids": np.array([-1, 1])})["y"]
    np.testing.assert_array_equal(out, [[9, 10, 11], [3, 4, 5]])
    with pytest.raises(EvaluationError):
        Evaluator("exact").run(found, {"ids": np.array([4, 0])})


def test_a_gather_in_an_embedding_module_is_an_embedding() -> None:
    own = helper.make_node("Gather", ["table", "ids"], ["y"])
    own.metadata_props.add(key="isomorph.scope", value=json.dumps([["wte", "Embedding", 0]]))
    theirs = helper.make_node("Gather", ["table", "ids"], ["y"])
    theirs.metadata_props.add(key="pkg.torch.onnx.name_scopes", value="['', 'wte', 'embedding']")
    theirs.metadata_props.add(
        key="pkg.torch.onnx.class_hierarchy", value="['M', 'torch.nn.modules.sparse.Embedding', 'aten.embedding.default']"
    )
    for node in (own, theirs):
        found = looked_up(node)
        assert ops(found) == ["embedding"]
        assert any("negative" in note for note in found.notes)


def test_another_module_is_no_embedding() -> None:
    node = helper.make_node("Gather", ["table", "ids"], ["y"])
    node.metadata_props.add(key="isomorph.scope", value=json.dumps([["table", "Lookup", 0]]))
    assert ops(looked_up(node)) == ["gather"]


@pytest.mark.parametrize(("shape", "axis"), [([4], None), ([3, 4], None), ([2], 0), ([3], 1), ([1, 1], None)])
def test_limited_broadcasting(shape, axis) -> None:
    """Opset 6 places the second operand by `axis`; opset 7 aligns it at the end."""
    attrs = {"broadcast": 1} if axis is None else {"broadcast": 1, "axis": axis}
    node = helper.make_node("Sub", ["a", "b"], ["y"], **attrs)
    found = load(model([node], [("a", FLOAT, [2, 3, 4]), ("b", FLOAT, shape)], ["y"], 6))
    a, b = np.random.default_rng(0).random((2, 3, 4), np.float32), np.random.default_rng(1).random(shape, np.float32)
    start = 3 - len(shape) if axis is None else axis
    placed = b.reshape([*shape, *[1] * (3 - start - len(shape))])
    np.testing.assert_array_equal(Evaluator("exact").run(found, {"a": a, "b": b})["y"], a - placed)


def test_no_broadcasting_without_the_attribute() -> None:
    node = helper.make_node("Add", ["a", "b"], ["y"])
    with pytest.raises(ConversionError, match="without broadcast=1"):
        load(model([node], [("a", FLOAT, [2, 3]), ("b", FLOAT, [3])], ["y"], 6))


def test_training_forms_of_opset_6_are_refused() -> None:
    node = helper.make_node("Dropout", ["a"], ["y"])
    with pytest.raises(ConversionError, match="is_test"):
        load(model([node], [("a", FLOAT, [2, 3])], ["y"], 6))


def test_a_definition_reads_attributes_of_the_function_around_it() -> None:
    """The body of a loss depends on `reduction`, which here is a reference."""
    inner = helper.make_node("NegativeLogLikelihoodLoss", ["x", "t"], ["y"])
    inner.attribute.append(onnx.AttributeProto(name="reduction", ref_attr_name="how", type=onnx.AttributeProto.STRING))
    function = helper.make_function("local", "Loss", ["x", "t"], ["y"], [inner], [helper.make_opsetid("", 17)], ["how"])
    x, t = np.log(np.array([[0.2, 0.8], [0.5, 0.5]], np.float32)), np.array([1, 0])
    for how, want in (("sum", 0.223144 + 0.693147), ("mean", (0.223144 + 0.693147) / 2)):
        call = helper.make_node("Loss", ["x", "t"], ["y"], domain="local", how=how)
        proto = model([call], [("x", FLOAT, [2, 2]), ("t", INT64, [2])], ["y"], 17)
        proto.functions.append(function)
        proto.opset_import.append(helper.make_opsetid("local", 1))
        out = Evaluator("exact").run(load(proto), {"x": x, "t": t})["y"]
        np.testing.assert_allclose(out, want, rtol=1e-5)


@pytest.mark.parametrize("target", [[0, -1], [6, 4], [-1, 2], [2, 0]])
def test_codes_of_a_shape_that_only_the_run_knows(target) -> None:
    node = helper.make_node("Reshape", ["x", "s"], ["y"])
    found = load(model([node], [("x", FLOAT, [2, 12]), ("s", INT64, [2])], ["y"], 17))
    x = np.arange(24, dtype=np.float32).reshape(2, 12)
    out = Evaluator("exact").run(found, {"x": x, "s": np.array(target)})["y"]
    sizes = [x.shape[i] if d == 0 else d for i, d in enumerate(target)]
    np.testing.assert_array_equal(out, x.reshape(sizes))
