"""Casts from and to 8-bit floats against ONNX Runtime, saturated and not."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from converter.importers.onnx import load
from tests.importers.onnx.models import FLOAT, agree, model, node, op_names
from tests.importers.onnx.test_attribute_values import refusal

NARROW = ("FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ")
WILD = np.array([0, -0.5, 1, 3.3, 100, -250, 460, 1000, 57344, -61000, np.inf, -np.inf, np.nan], np.float32)
WHOLE = np.array([0, -1, 1, 3, 100, -128, 127, 33], np.float32)


def code(name: str) -> int:
    return TensorProto.DataType.Value(name)


@pytest.mark.parametrize("source", ["FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE", "INT8", "INT32", "BOOL", *NARROW])
@pytest.mark.parametrize("target", NARROW)
def test_eight_bits(source: str, target: str) -> None:
    """Beyond the range, and at infinity: the largest number unless `saturate=0`."""
    if source == target:
        return
    x = WHOLE if source in ("INT8", "INT32", "BOOL") else WILD
    for saturate, opset in itertools.product((0, 1), (19, 23)):
        nodes = [
            node("Cast", "x", "a", to=code(source)),
            node("Cast", "a", "b", to=code(target), saturate=saturate),
            node("Cast", "b", "y", to=FLOAT),
        ]
        agree(model(nodes, [("x", FLOAT, x.shape)], ["y"], opset=opset), {"x": x})


def test_a_cast_to_the_same_type_changes_nothing() -> None:
    nodes = [node("Cast", "x", "a", to=code("FLOAT8E5M2"), saturate=0), node("Cast", "a", "b", to=code("FLOAT8E5M2"))]
    nodes.append(node("Cast", "b", "y", to=FLOAT))
    taken = agree(model(nodes, [("x", FLOAT, WILD.shape)], ["y"], opset=19), {"x": WILD})
    assert op_names(taken) == ["cast", "identity", "cast"]


def test_there_were_no_eight_bits_before() -> None:
    for opset, op in ((13, "Cast"), (15, "CastLike"), (18, "Cast")):
        made = node(op, "x", "z", to=code(NARROW[0])) if op == "Cast" else node(op, "x l", "z")
        stored = {"l": np.zeros(1, onnx.helper.tensor_dtype_to_np_dtype(code(NARROW[0])))} if op == "CastLike" else {}
        proto = model([made, node("Cast", "z", "y", to=FLOAT)], [("x", FLOAT, [2])], ["y"], stored, opset=opset)
        assert "exists from version 19 on" in refusal(proto)


def test_how_scales_are_rounded_says_nothing_of_other_types() -> None:
    for mode in ("up", "down", "nearest"):
        made = node("Cast", "x", "y", to=code("FLOAT16"), round_mode=mode)
        assert op_names(load(model([made], [("x", FLOAT, [2])], ["y@FLOAT16"], opset=24))) == ["cast"]
