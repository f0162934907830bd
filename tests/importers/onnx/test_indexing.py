"""Reads of tables, conditions, one-hot: forms that ONNX's node tests lack, and what is refused."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import onnx
import pytest

from converter.importers.base import ImportOptions
from converter.importers.onnx import load
from converter.importers.onnx.rules_indexing import NEGATIVES
from ir.eval import EvaluationError, Evaluator
from tests.importers.onnx.models import BOOL, FLOAT, INT64, agree, floats, model, node, op_names
from tests.importers.onnx.test_attribute_values import refusal


# -- embeddings -----------------------------------------------------------------------------------------------------
def looked_up(
    table: np.ndarray, where: str = "weight", cls: str = "torch.nn.modules.sparse.Embedding", axis: int = 0, known: bool = False
) -> onnx.ModelProto:  # fmt: skip
    """A read of a table by a module of a class, as PyTorch's exporter names them."""
    made = node("Gather", "t i", "y", axis=axis)
    made.name = "node_embedding"
    for key, value in (
        ("pkg.torch.onnx.class_hierarchy", f"['Net', '{cls}', 'aten.embedding.default']"),
        ("pkg.torch.onnx.name_scopes", "['', 'embed', 'embedding']"),
    ):
        made.metadata_props.add(key=key, value=value)
    kind = onnx.helper.np_dtype_to_tensor_dtype(table.dtype)
    out = f"y@{onnx.TensorProto.DataType.Name(kind)}"
    index = np.array([[2, 0, 1]])
    stored = ({"t": table} if where == "weight" else {}) | ({"i": index} if known else {})
    declared: Any = ([] if known else [("i", INT64, ("n", 3))]) + (
        [] if where == "weight" else [("t", kind, table.shape)]
    )
    return model([made], declared, [out], stored)


def test_rows_that_an_embedding_module_reads() -> None:
    """PyTorch's module fails where ONNX counts from the end: a note tells, and `strict` keeps ONNX's meaning."""
    table, i = floats(4, 5), np.array([[0, 3, 1], [2, 2, 0]])
    usual = load(looked_up(table))
    strict = load(looked_up(table), options=ImportOptions(index_policy="strict"))
    for taken in (usual, strict):
        assert op_names(taken) == ["embedding"]
        agree(looked_up(table), {"i": i}, taken)
    assert NEGATIVES in usual.notes and NEGATIVES not in strict.notes
    agree(looked_up(table), {"i": i - 4}, strict)
    with pytest.raises(EvaluationError):
        Evaluator("exact").run(usual, {"i": i - 4})


def test_a_table_that_a_sum_of_one_hands_on() -> None:
    proto = looked_up(floats(4, 5))
    proto.graph.node[0].input[0] = "s"
    proto.graph.node.insert(0, node("Sum", "t", "s"))
    assert op_names(agree(proto, {"i": np.array([[0, 3, 1]])})) == ["embedding"]


def test_classes_that_the_file_records_for_paths() -> None:
    """Without a class at the node, the file's own list of modules tells."""
    for classes, want in (
        ({"enc.embed": "torch.nn.Embedding"}, "embedding"),
        ({"enc.embed": "Net"}, "gather"),
        ({}, "gather"),
    ):
        proto = looked_up(floats(4, 5))
        del proto.graph.node[0].metadata_props[:]
        proto.graph.node[0].name = "/enc/embed/Gather"
        proto.metadata_props.add(key="isomorph.modules", value=json.dumps(classes))
        assert op_names(load(proto)) == [want]
    proto.graph.node[0].name = "Gather"
    assert op_names(load(proto)) == ["gather"]


def test_what_is_no_embedding() -> None:
    """Other modules, tables of integers or of three axes, other axes, known positions, tables that the run gives."""
    i = np.array([[0, 3, 1], [2, 2, 0]])
    for table, options in (
        (floats(4, 5), {"cls": "my.Lookup"}), (np.arange(20).reshape(4, 5), {}), (floats(4, 5, 2), {}),
        (floats(5, 4), {"axis": 1}), (floats(4, 5), {"where": "input"}), (floats(4, 5), {"known": True}),
    ):  # fmt: skip
        proto = looked_up(table, **options)
        taken = load(proto)
        assert "embedding" not in op_names(taken) and NEGATIVES not in taken.notes, options
        given = {"i": i - 4, "t": table}
        agree(proto, {n.name: given[n.name] for n in proto.graph.input}, taken)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("known", [False, True])
def test_a_single_position_is_a_read_where_it_is_known(axis: int, known: bool) -> None:
    for position in (0, 2, -1):
        i = {"i": np.array(position)}
        declared: Any = [("x", FLOAT, (3, 4))] + ([] if known else [("i", INT64, ())])
        proto = model([node("Gather", "x i", "y", axis=axis)], declared, ["y"], i if known else {})
        taken = agree(proto, {"x": floats(3, 4)} | ({} if known else i))
        assert op_names(taken) == ["select" if known else "gather"]


# -- conditions -----------------------------------------------------------------------------------------------------
def chosen(condition: np.ndarray, size: Any, axis: int | None, known: bool) -> onnx.ModelProto:
    attributes = {} if axis is None else {"axis": axis}
    declared: Any = [("x", FLOAT, (size, 3))] + ([] if known else [("c", BOOL, condition.shape)])
    return model([node("Compress", "x c", "y", **attributes)], declared, ["y"], {"c": condition} if known else {})


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("axis", [0, 1, -1, -2, None])
def test_what_a_condition_leaves(axis: int | None, known: bool) -> None:
    """A condition that is shorter than the axis leaves the rest out."""
    x = floats(4, 3)
    size = {0: 4, -2: 4, None: 12}.get(axis, 3)
    for length in (size, size - 1, 1):
        condition = np.arange(length) % 3 != 1
        proto = chosen(condition, 4, axis, known)
        taken = agree(proto, {"x": x} | ({} if known else {"c": condition}))
        assert ("slice" in op_names(taken)) == (not known and length < size)


@pytest.mark.parametrize("known", [False, True])
def test_a_condition_for_more_than_there_is(known: bool) -> None:
    """A run-time one is refused; a known one where it asks for more."""
    condition = np.array([True, False, True, True, False])
    assert "5 elements for an axis of 3" in refusal(chosen(condition, 3, 0, known))
    if known:
        agree(chosen(condition, 4, 0, known), {"x": floats(4, 3)})
    else:
        assert "5 elements for an axis of 4" in refusal(chosen(condition, 4, 0, known))


def test_conditions_of_sizes_that_the_run_knows() -> None:
    """Equal, or possibly so: assumed. Certainly others are refused."""
    condition = np.array([True, False, True])
    for known in (False, True):
        proto = chosen(condition, "n", 0, known)
        agree(proto, {"x": floats(3, 3)} | ({} if known else {"c": condition}), load(proto))
    nodes = [node("Concat", "x x one", "z", axis=0), node("Compress", "z c", "y", axis=0)]
    declared: Any = [("x", FLOAT, ("n", 3)), ("c", BOOL, ("n",))]
    assert "a condition of n elements" in refusal(model(nodes, declared, ["y"], {"one": floats(1, 3)}))
    assert "must be a vector" in refusal(chosen(np.ones((4, 1), bool), 4, 0, False))


# -- positions ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(5,), (3, 2), (2, 2, 3)])
def test_positions_of_what_is_not_zero(shape: tuple[int, ...]) -> None:
    x = np.maximum(floats(*shape), 0)
    agree(model([node("NonZero", "x", "y")], [("x", FLOAT, shape)], ["y@INT64"]), {"x": x})


def test_a_scalar_has_no_positions() -> None:
    assert "positions of a scalar" in refusal(model([node("NonZero", "x", "y")], [("x", FLOAT, ())], ["y@INT64"]))


def test_one_hot_of_other_forms_is_refused() -> None:
    def hot(depth: list[int], values: list[float]) -> onnx.ModelProto:
        stored = {"d": np.array(depth), "v": np.array(values, np.float32)}
        return model([node("OneHot", "i d v", "y")], [("i", INT64, (4,))], ["y"], stored)

    for depth, values in itertools.product(([3], [3, 3]), ([0, 1], [0, 1, 2], [1])):
        if len(depth) == 1 and len(values) == 2:
            agree(hot(depth, values), {"i": np.array([0, 2, 1, 5])})
        else:
            assert "must have 1 and 2 elements" in refusal(hot(depth, values))
