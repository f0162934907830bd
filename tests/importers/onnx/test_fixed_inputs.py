"""Inputs fixed at a value: branches that they decide are taken, and what is written answers for that value alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

import converter
from converter.cli.options import read_inputs
from converter.errors import ConversionError, UsageError
from converter.importers.onnx import load
from ir.core.signature import Constant, Leaf
from tests.importers.onnx.models import BOOL, FLOAT, INT64, floats, model, node
from tests.importers.onnx.test_control import graph


def rates() -> onnx.ModelProto:
    """y = x at 16000; one value a row, of rank 1, at any other rate."""
    then = graph([node("Mul", "x two", "a")], [], [("a", FLOAT, None)])
    other = graph([node("ReduceSum", "x axis", "b", keepdims=0)], [], [("b", FLOAT, None)])
    nodes = [node("Equal", "rate known", "same"), node("If", "same", "y", then_branch=then, else_branch=other)]
    stored = {"known": np.int64(16000), "two": np.float32(2), "axis": np.array([1])}
    return model(nodes, [("rate", INT64, []), ("x", FLOAT, ["n", 3])], ["y"], stored)


def test_the_branch_is_taken_and_the_signature_keeps_the_value() -> None:
    taken = load(rates(), {"rate": 16000})
    assert [n.op.name for n in taken.graph if n.op.name != "constant"] == ["mul"]
    assert [p.tree for p in taken.signature.parameters] == [Constant(16000), Leaf("x")]
    assert taken.signature.input_names == ("x",)
    other = load(rates(), {"rate": 8000, "x": "float32[2,3]"})
    assert [n.op.name for n in other.graph if n.op.name != "constant"] == ["reduce_sum"]


def test_without_it_the_refusal_says_what_to_give() -> None:
    with pytest.raises(ConversionError, match="rank 2 in one branch and 1 in the other") as caught:
        load(rates())
    assert "NAME=VALUE" in caught.value.unsupported[0].advice


@pytest.mark.parametrize(
    ("kind", "shape", "value", "message"),
    [
        (INT64, [], 1.5, "it cannot be 1.5"),
        (INT64, [], True, "it cannot be True"),
        (BOOL, [], 1, "it cannot be 1"),
        (onnx.TensorProto.INT8, [], 300, "it cannot be 300"),
        (INT64, [2], 1, "more than one element"),
        (INT64, ["k"], 1, "more than one element"),
    ],
)
def test_values_that_do_not_fit(kind: int, shape: list[Any], value: Any, message: str) -> None:
    proto = model([node("Identity", "x", "y"), node("Identity", "v", "w")], [("x", FLOAT, [2]), ("v", kind, shape)], ["y", "w"])
    with pytest.raises(UsageError, match=message):
        load(proto, {"v": value})


@pytest.mark.parametrize(("kind", "shape", "value"), [(FLOAT, [], 0.5), (INT64, [1, 1], -3), (BOOL, [1], True)])
def test_every_kind_of_value(kind: int, shape: list[int], value: Any) -> None:
    proto = model([node("Identity", "v", "y"), node("Identity", "x", "z")], [("x", FLOAT, [2]), ("v", kind, shape)], ["y", "z"])
    found = converter.run(load(proto, {"v": value}), {"x": floats(2)})["y"]
    assert found.shape == tuple(shape) and found.reshape(()) == value
    assert found.dtype == helper.tensor_dtype_to_np_dtype(kind)


def test_converted_to_both_and_verified(tmp_path: Path) -> None:
    """The argument stands first: it has no default then, and a call with another value is an error."""
    onnx.save(rates(), tmp_path / "rates.onnx")
    inputs = {"rate": 16000, "x": "float32[n,3]"}
    package = converter.convert(tmp_path / "rates.onnx", "torch", tmp_path / "package", inputs)
    assert package.report.verification.verdict == "equal"
    module, x = package.load(), torch.randn(2, 3)
    torch.testing.assert_close(module(16000, x), 2 * x)
    with pytest.raises(ValueError, match="converted for rate=16000"):
        module(8000, x)
    again = converter.convert(tmp_path / "package", "onnx", tmp_path / "again.onnx")
    assert again.report.verification.verdict == "equal"
    assert [i.name for i in onnx.load(again.path).graph.input] == ["x"]
    assert converter.verify(tmp_path / "rates.onnx", tmp_path / "package", inputs).passed


def test_the_flag() -> None:
    assert read_inputs(("sr=16000", "x:float32[1,n]", "flag=True", "p=0.5", "mask=none"), None) == {
        "sr": 16000, "x": "float32[1,n]", "flag": True, "p": 0.5, "mask": None,
    }  # fmt: skip
    with pytest.raises(UsageError, match="no number"):
        read_inputs(("sr=often",), None)
