"""Reductions over nothing, of booleans and of integers, and how many of the largest are asked for in what order."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from converter.errors import ConversionError, Unsupported
from converter.importers.onnx import load
from ir.eval import Evaluator
from tests.importers.onnx.models import FLOAT, floats, model, node


def reduced(op: str, kind: Any, shape: tuple[int, ...], opset: int, axes: tuple[int, ...] | None, keepdims: int) -> Any:
    """Axes are an attribute, an input from version 18 on (13 of ReduceSum)."""
    code = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    later = opset >= (13 if op == "ReduceSum" else 18)
    stored = {"a": np.array(axes)} if later and axes is not None else {}
    where = {} if later or axes is None else {"axes": list(axes)}
    made = node(op, "x a" if stored else "x", "y", keepdims=keepdims, **where)
    return model([made], [("x", code, shape)], [f"y@{onnx.TensorProto.DataType.Name(code)}"], stored, opset=opset)


def refused(proto: onnx.ModelProto) -> Unsupported:
    with pytest.raises(ConversionError) as error:
        load(proto)
    (found,) = error.value.unsupported
    return found


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.int32, np.uint8, np.bool_])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_extremes_of_nothing(kind: Any, keepdims: int) -> None:
    """The lowest and the highest number of the type: what no element could change."""
    integer = np.issubdtype(kind, np.integer)
    low, high = (
        (np.iinfo(kind).min, np.iinfo(kind).max)
        if integer
        else (False, True)
        if kind is np.bool_
        else (-np.inf, np.inf)
    )
    for op, want in (("ReduceMax", low), ("ReduceMin", high)):
        for axes in ((1,), (0, 1), (-1, 1), (1, 2), (-2,), None):
            x = np.zeros((2, 0, 3), kind)
            (found,) = Evaluator("exact").run(load(reduced(op, kind, x.shape, 20, axes, keepdims)), {"x": x}).values()
            right = np.zeros((2, 1, 3), kind).max(axes, keepdims=bool(keepdims))
            assert found.dtype == kind and found.shape == right.shape and (found == want).all()
        for axes in ((0,), (2,), (0, 2)):
            (found,) = Evaluator("exact").run(load(reduced(op, kind, x.shape, 20, axes, keepdims)), {"x": x}).values()
            assert found.shape == np.zeros((2, 0, 3)).sum(axes, keepdims=bool(keepdims)).shape


@pytest.mark.parametrize("keepdims", [0, 1])
def test_extremes_of_booleans(keepdims: int) -> None:
    """They have an order from version 20 on, and no other reduction takes them."""
    x = np.array([[True, True], [False, True], [False, False]])
    for op, compute in (("ReduceMax", np.any), ("ReduceMin", np.all)):
        for axes in ((0,), (1,), (0, 1)):
            (found,) = Evaluator("exact").run(load(reduced(op, bool, (3, 2), 20, axes, keepdims)), {"x": x}).values()
            np.testing.assert_array_equal(found, compute(x, axes, keepdims=bool(keepdims)))
        for opset in (11, 13, 18):
            assert "booleans are not defined" in refused(reduced(op, bool, (3, 2), opset, (0,), keepdims)).reason
    for op in ("ReduceSum", "ReduceProd", "ReduceMean", "ReduceL1", "ReduceSumSquare"):
        assert "booleans are not defined" in refused(reduced(op, bool, (3, 2), 20, (0,), keepdims)).reason


@pytest.mark.parametrize("op", ["ReduceLogSum", "ReduceLogSumExp"])
def test_logarithms_of_integers_say_what_to_do(op: str) -> None:
    why = refused(reduced(op, np.int64, (3, 2), 13, (0,), 1))
    assert "rounded in other places by each runtime" in why.reason and "cast to a float" in why.advice


@pytest.mark.parametrize("opset", [9, 10, 11, 24])
def test_how_many_of_the_largest(opset: int) -> None:
    """Before version 11 they are the largest, in order."""
    choices: list[dict[str, int]] = [{}]
    choices += [{"largest": a, "sorted": b} for a in (0, 1) for b in (0, 1)] if opset >= 11 else []
    x = floats(3, 7)
    for choice in choices:
        how: dict[str, Any] = {**choice, **({"k": 3} if opset < 10 else {})}
        made = node("TopK", "x" if opset < 10 else "x k", "y i", axis=1, **how)
        stored = {} if opset < 10 else {"k": np.array([3])}
        taken = load(model([made], [("x", FLOAT, [3, 7])], ["y", "i@INT64"], stored, opset=opset))
        (top,) = [n for n in taken.graph if n.op.name == "top_k"]
        largest, ordered = choice.get("largest", 1), choice.get("sorted", 1)
        assert (top.attrs["largest"], top.attrs["sorted"]) == (bool(largest), bool(ordered))
        values, places = Evaluator("exact").run(taken, {"x": x}).values()
        want = np.sort(x, 1)[:, ::-1][:, :3] if largest else np.sort(x, 1)[:, :3]
        np.testing.assert_array_equal(values if ordered else np.sort(values, 1), want if ordered else np.sort(want, 1))
        np.testing.assert_array_equal(np.take_along_axis(x, places, 1), values)
