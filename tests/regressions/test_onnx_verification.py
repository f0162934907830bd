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
    assert [c["x"].endswith(",5]") or c["x"].endswith(", 5]") for c in report.cases] == [True] * 5


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
