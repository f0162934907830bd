"""Positions of maxima (MaxPool's Indices) and what is made from them (MaxUnpool), against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.eval import Evaluator
from tests.importers.onnx.models import FLOAT, INT64, agree, floats, model, node

WINDOWS: list[dict[str, Any]] = [
    {}, {"pads": [1, 0, 2, 1]}, {"dilations": [2, 2], "pads": [1, 0, 1, 2]}, {"strides": [2, 3], "ceil_mode": 1},
    {"strides": [2, 2], "auto_pad": "SAME_UPPER"}, {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
]  # fmt: skip


def near(*shape: int, seed: int = 0) -> np.ndarray:
    """Values of which many are equal, and some -inf."""
    x = np.round(1.5 * floats(*shape, seed=seed))
    return np.where(floats(*shape, seed=seed + 1) < -1, -np.inf, x).astype(np.float32)


def pooled(x: np.ndarray, opset: int = 12, names: str = "y i", shape: Any = None, **attributes: Any) -> onnx.ModelProto:
    kind = onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
    outs = [o for o in (f"y@{onnx.TensorProto.DataType.Name(kind)}", "i@INT64") if o[0] in names]
    return model([node("MaxPool", "x", names, **attributes)], [("x", kind, shape or x.shape)], outs, opset=opset)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_positions(window: dict[str, Any], order: int) -> None:
    x = near(2, 3, 8, 7)
    for opset in (10, 12, 22):
        agree(pooled(x, opset, kernel_shape=[3, 4], storage_order=order, **window), {"x": x})


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("shape", [(2, 3, 9), (2, 3, 4, 5, 6)])
def test_positions_on_other_ranks(shape: tuple[int, ...], order: int) -> None:
    x = near(*shape)
    agree(pooled(x, kernel_shape=[2] * (len(shape) - 2), storage_order=order), {"x": x})


@pytest.mark.parametrize("order", [0, 1])
def test_positions_at_symbolic_sizes(order: int) -> None:
    x = near(2, 3, 6, 7)
    agree(pooled(x, kernel_shape=[3, 2], storage_order=order, shape=["n", 3, "h", "w"], pads=[1, 1, 0, 0]), {"x": x})


@pytest.mark.parametrize("kind", ["uint8", "int8", "float64"])
def test_positions_in_other_types(kind: str) -> None:
    x = np.random.default_rng(0).integers(0, 4, (1, 2, 6, 5)).astype(kind)
    agree(pooled(x, kernel_shape=[2, 3], strides=[1, 2]), {"x": x})
    agree(pooled(0 * x, kernel_shape=[2, 3], pads=[1, 1, 1, 1]), {"x": 0 * x})


def unpooled(x: np.ndarray, shape: Any = None, sizes: Any = None, **attributes: Any) -> onnx.ModelProto:
    stored = {} if sizes is None else {"s": np.array(sizes)}
    made = node("MaxUnpool", "x i s" if stored else "x i", "y", **attributes)
    return model([made], [("x", FLOAT, shape or x.shape), ("i", INT64, shape or x.shape)], ["y"], stored, opset=11)


@pytest.mark.parametrize("shape", [None, ["n", 2, "h", "w"]])
def test_values_go_back_to_their_places(shape: Any) -> None:
    x = floats(1, 2, 2, 3)
    places = np.random.default_rng(0).permutation(48)[:12].reshape(1, 2, 2, 3)
    agree(unpooled(x, shape, kernel_shape=[2, 2], strides=[2, 2]), {"x": x, "i": places})
    places = np.random.default_rng(1).permutation(30)[:12].reshape(1, 2, 2, 3)
    agree(unpooled(x, shape, kernel_shape=[3, 2], strides=[1, 2], pads=[1, 0, 0, 1]), {"x": x, "i": places})
    line = floats(2, 1, 4)
    agree(unpooled(line, kernel_shape=[2], strides=[3]), {"x": line, "i": np.arange(0, 16, 2).reshape(2, 1, 4)})
    agree(unpooled(line, kernel_shape=[2]), {"x": line, "i": np.arange(8).reshape(2, 1, 4)})


def test_a_larger_output_has_zeros_behind() -> None:
    """As ONNX's reference has it; ONNX Runtime counts the places in the larger shape, which a note says."""
    x, places = floats(1, 1, 2, 2), np.array([[[[5, 7], [13, 15]]]])
    taken = load(unpooled(x, sizes=[1, 1, 5, 6], kernel_shape=[2, 2], strides=[2, 2]))
    (found,) = Evaluator("exact").run(taken, {"x": x, "i": places}).values()
    want = np.zeros((1, 1, 5, 6), np.float32)
    want[0, 0, 1:4:2, 1:4:2] = x
    np.testing.assert_array_equal(found, want)
    assert any("output_shape" in n for n in taken.notes)
    with pytest.raises(ConversionError, match="below the"):
        load(unpooled(x, sizes=[1, 1, 3, 5], kernel_shape=[2, 2], strides=[2, 2]))
    with pytest.raises(ConversionError, match="does not fit"):
        load(unpooled(x, sizes=[5, 5], kernel_shape=[2, 2], strides=[2, 2]))
    with pytest.raises(ConversionError, match="do not fit 2 spatial axes"):
        load(unpooled(x, kernel_shape=[2, 2], pads=[1, 1]))
