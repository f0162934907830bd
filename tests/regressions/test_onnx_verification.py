"""Verification of ONNX models: sizes that the model states, outputs that are others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper

import converter
from tests.importers.onnx.models import BOOL, FLOAT, INT64, floats, model, node


def test_sizes_that_the_model_states_are_drawn() -> None:
    """Four columns are none of the sizes tried, and the shapes of a mask and of what it selects are one."""
    nodes = [
        node("Mul", "x w", "scaled"),
        node("Where", "mask scaled low", "kept"),
        node("Cast", "kept", "y", to=INT64),
    ]
    inputs = [("x", FLOAT, ["n", "m"]), ("mask", BOOL, ["rows", "columns"])]
    proto = model(nodes, inputs, ["y@INT64"], {"w": floats(5), "low": np.float32(-9)})
    report = converter.verify(proto, proto)
    assert report.passed
    assert [c["x"].endswith(",5]") or c["x"].endswith(", 5]") for c in report.cases] == [True] * 6


def two_outputs() -> onnx.ModelProto:
    return model([node("Relu", "x", "a"), node("Neg", "x", "b")], [("x", FLOAT, [2, 3])], ["a", "b"])


@pytest.mark.parametrize(
    "change",
    [
        lambda outputs: outputs.reverse(),
        lambda outputs: outputs.pop(),
        lambda outputs: outputs.append(helper.make_tensor_value_info("x", FLOAT, None)),
    ],
    ids=["order", "fewer", "more"],
)
def test_other_outputs_are_a_mismatch(change: Callable[..., object]) -> None:
    other = two_outputs()
    change(other.graph.output)
    report = converter.verify(two_outputs(), other)
    assert report.verdict == "mismatch"
    assert all("outputs are" in o.reason for o in report.outputs)


def test_sizes_that_no_trip_fills_are_not_held_against_the_import() -> None:
    """ONNX Runtime makes those sizes 0 that it does not know before a loop that runs no trip; the model was refused."""
    outputs = [
        helper.make_tensor_value_info("going", BOOL, []),
        helper.make_tensor_value_info("next", FLOAT, ["n"]),
        helper.make_tensor_value_info("row", FLOAT, ["n"]),
    ]
    inputs = [
        helper.make_tensor_value_info("i", INT64, []),
        helper.make_tensor_value_info("on", BOOL, []),
        helper.make_tensor_value_info("kept", FLOAT, ["n"]),
    ]
    steps = [node("Add", "kept x", "next"), node("Mul", "next x", "row"), node("Identity", "on", "going")]
    body = helper.make_graph(steps, "body", inputs, outputs)
    loop = helper.make_node("Loop", ["trips", "", "x"], ["last", "rows"], body=body)
    proto = model([loop], [("x", FLOAT, ["n"]), ("trips", INT64, [])], ["last", "rows"])
    given = {"x": floats(2), "trips": np.int64(0)}
    assert [a.shape for a in converter.run(proto, given).values()] == [(2,), (0, 0)]
    assert converter.verify(proto, converter.load(proto), given).passed
