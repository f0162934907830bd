"""Sequences and optional values inside a model, against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converter.errors import ConversionError
from converter.importers.onnx import load
from tests.importers.onnx.models import FLOAT, agree, floats, model, node

X = [("x", FLOAT, (6, "n"))]


def run(nodes: list[onnx.NodeProto], outputs: list[str], **stored: Any) -> None:
    agree(model(nodes, X, outputs, {k: np.asarray(v) for k, v in stored.items()}, opset=18), {"x": floats(6, 5)})


@pytest.mark.parametrize("parts", [1, 2, 4, 6, 9, [1, 2, 3], [6], [0, 6]])
def test_parts_and_their_concatenation(parts: Any) -> None:
    split, count = node("SplitToSequence", "x p", "s", axis=-2), node("SequenceLength", "s", "n")
    run([split, node("ConcatFromSequence", "s", "y", axis=0), count], ["y", "n@INT64"], p=parts)
    if isinstance(parts, int) and 6 % parts == 0:
        run([split, node("ConcatFromSequence", "s", "y", axis=-1, new_axis=1)], ["y"], p=parts)


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("new_axis", [0, 1])
def test_slices_of_one(keep: int, new_axis: int) -> None:
    split = node("SplitToSequence", "x", "s", axis=0, keepdims=keep)
    for axis in (0, -1):
        run([split, node("ConcatFromSequence", "s", "y", axis=axis, new_axis=new_axis)], ["y"])


def test_parts_along_the_last_axis_and_of_nothing() -> None:
    """An axis of no elements has no parts, but for those that sizes name."""
    for shape, axis, parts in (
        ((2, 6), 1, [2, 4]), ((2, 6), -1, 4), ((2, 6), 1, None), ((2, 3, 4), 1, [3, 0]), ((2, 3, 4), 2, 1),
        ((0, 3), 0, None), ((0, 3), 0, 2), ((0, 3), 0, [0, 0]), ((2, 0), 1, 1),
    ):  # fmt: skip
        stored = {} if parts is None else {"p": np.asarray(parts)}
        nodes = [node("SplitToSequence", "x p" if stored else "x", "s", axis=axis), node("SequenceLength", "s", "n")]
        if 0 not in shape or isinstance(parts, list):
            nodes.append(node("SequenceAt", "s i", "y"))
        outputs = ["n@INT64", "y"][: len(nodes) - 1]
        for at in (0, -1):
            proto = model(nodes, [("x", FLOAT, shape)], outputs, stored | {"i": np.array(at)}, opset=18)
            agree(proto, {"x": floats(*shape)})


def split_refusal(axis: int, parts: Any) -> str:
    nodes = [node("SplitToSequence", "x p", "s", axis=axis), node("ConcatFromSequence", "s", "y", axis=0)]
    return refusal(nodes, ["y"], p=np.asarray(parts))


def test_parts_that_do_not_fit_are_refused() -> None:
    assert "parts of 0 are not defined" in split_refusal(1, 0)
    assert "parts of -1 are not defined" in split_refusal(1, -1)
    for parts in ([2, 3], [-1, 5], [1], [3, 4, -3]):
        assert f"parts of {parts} do not make 4" in split_refusal(1, parts)
    dropped = node("SplitToSequence", "x p", "s", axis=1, keepdims=0)
    for parts in (1, [1, 3]):
        made = [dropped, node("ConcatFromSequence", "s", "y", axis=0)]
        assert "keepdims=0 is none of 1" in refusal(made, ["y"], p=np.asarray(parts))


@pytest.mark.parametrize("op, last", [("SequenceAt", 2), ("SequenceErase", 2), ("SequenceInsert", 3)])
def test_positions_within_three_elements(op: str, last: int) -> None:
    """Those that exist against ONNX Runtime; one before and one after are refused."""
    made = [node("Neg", "x", "a"), node("Abs", "x", "b"), node("SequenceConstruct", "x a b", "s")]
    taken = {"SequenceAt": "s i", "SequenceErase": "s i", "SequenceInsert": "s a i"}[op]
    nodes = [*made, node(op, taken, "y" if op == "SequenceAt" else "t")]
    if op != "SequenceAt":
        nodes.append(node("ConcatFromSequence", "t", "y", axis=0))
    for at in range(-3, last + 1):
        run(nodes, ["y"], i=at)
    for at in (-4, last + 1):
        with pytest.raises(ConversionError, match=f"position {at} of a sequence of 3 is not defined"):
            run(nodes, ["y"], i=at)
    if op == "SequenceErase":
        run([*made, node(op, "s", "t"), node("ConcatFromSequence", "t", "y", axis=0)], ["y"])


@pytest.mark.parametrize("at", [0, 1, -1, -2])
def test_elements_by_position(at: int) -> None:
    nodes = [
        node("Neg", "x", "a"), node("Abs", "x", "b"), node("SequenceConstruct", "x a b", "s"), node("SequenceErase", "s i", "t"),
        node("SequenceInsert", "t a i", "u"), node("SequenceInsert", "u b", "v"), node("SequenceErase", "v", "w"),
        node("SequenceAt", "w i", "y"), node("ConcatFromSequence", "w", "z", axis=0),
    ]  # fmt: skip
    run(nodes, ["y", "z"], i=at)


def test_a_graph_is_mapped_over_a_sequence() -> None:
    """The elements differ in size; a second sequence, a tensor for all, a weight of the graph, and an outer value."""
    kinds = [helper.make_tensor_value_info(n, FLOAT, None) for n in ("e", "f", "t", "o", "u")]
    inner = [
        node("Sub", "e f", "g"),
        node("Mul", "g t", "h"),
        node("Sub", "h w", "o"),
        node("Neg", "e", "d"),
        node("Add", "d t", "u"),
    ]
    stored = [onnx.numpy_helper.from_array(np.float32(0.5), "w")]
    body = helper.make_graph(inner, "mapped", kinds[:3], kinds[3:], stored)
    nodes = [
        node("SplitToSequence", "x p", "s", axis=0), node("Neg", "x", "m"), node("SplitToSequence", "m p", "r", axis=0),
        node("SequenceMap", "s r k", "a b", body=body),
        node("ConcatFromSequence", "a", "y", axis=0), node("ConcatFromSequence", "b", "z", axis=0),
    ]  # fmt: skip
    run(nodes, ["y", "z"], p=[1, 2, 3], k=np.float32([3.0]))
    one = helper.make_graph([node("Neg", "e", "o")], "one", kinds[:1], kinds[3:4])
    run([nodes[0], node("SequenceMap", "s", "a", body=one), nodes[4]], ["y"], p=[1, 2, 3])
    nodes[2] = node("SplitToSequence", "m q", "r", axis=0)
    with pytest.raises(ConversionError, match="sequences of 3 and 2 elements"):
        run(nodes, ["y", "z"], p=[1, 2, 3], q=[3, 3], k=np.float32([3.0]))


def test_an_empty_sequence_is_filled() -> None:
    nodes = [
        node("SequenceEmpty", "", "s", dtype=FLOAT),
        node("SequenceInsert", "s x", "t"),
        node("SequenceAt", "t i", "y"),
    ]
    run([*nodes, node("SequenceLength", "s", "n")], ["y", "n@INT64"], i=0)


def test_a_branch_decided_by_an_optional_value() -> None:
    def branch(op: str) -> onnx.GraphProto:
        return helper.make_graph(
            [node(op, "x", f"{op}_y")], op, [], [helper.make_tensor_value_info(f"{op}_y", FLOAT, None)]
        )

    chosen = helper.make_node("If", ["h"], ["y"], then_branch=branch("Neg"), else_branch=branch("Abs"))
    nodes = [
        node("Optional", "x", "o"),
        node("OptionalHasElement", "o", "h"),
        node("OptionalGetElement", "o", "g"),
        chosen,
    ]
    run([*nodes, node("Relu", "g", "z")], ["y", "z"])


def refusal(nodes: list[onnx.NodeProto], outputs: list[Any], **stored: Any) -> str:
    proto = model(nodes, [("x", FLOAT, ("k", 4)), ("i", TensorProto.INT64, ())], ["y"], stored)
    del proto.graph.output[:]
    proto.graph.output.extend(
        o if not isinstance(o, str) else helper.make_tensor_value_info(o, FLOAT, None) for o in outputs
    )
    with pytest.raises(ConversionError) as error:
        load(proto)
    return str(error.value)


def test_what_does_not_resolve_is_refused() -> None:
    made = node("SequenceConstruct", "x x", "s")
    assert "run time" in refusal(
        [node("SplitToSequence", "x", "s"), node("SequenceAt", "s j", "y")], ["y"], j=np.array(0)
    )
    assert "position is computed" in refusal([made, node("SequenceAt", "s i", "y")], ["y"])
    assert "position 2" in refusal([made, node("SequenceAt", "s j", "y")], ["y"], j=np.array(2))
    assert "nothing to erase" in refusal(
        [node("SequenceEmpty", "", "s"), node("SequenceErase", "s", "t"), node("ConcatFromSequence", "t", "y", axis=0)],
        ["y"],
    )
    assert "empty sequence" in refusal(
        [node("SequenceEmpty", "", "s"), node("ConcatFromSequence", "s", "y", axis=0)], ["y"]
    )
    out = helper.make_tensor_sequence_value_info("s", FLOAT, None)
    assert "no tensor but a sequence" in refusal([made], [out])
    body = helper.make_graph(
        [node("SequenceAt", "s i", "b"), node("Identity", "c", "d")],
        "body",
        [
            helper.make_tensor_value_info("t", TensorProto.INT64, ()),
            helper.make_tensor_value_info("c", TensorProto.BOOL, ()),
        ],
        [helper.make_tensor_value_info("d", TensorProto.BOOL, ()), helper.make_tensor_value_info("b", FLOAT, None)],
    )
    loop = helper.make_node("Loop", ["i", ""], ["y"], body=body)
    assert "reads the sequence 's'" in refusal([made, loop], ["y"])
