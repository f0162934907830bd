"""Pools over any number of axes, powers and windows, against ONNX Runtime where it has them, else NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.eval import Evaluator
from tests.importers.onnx.models import FLOAT, agree, floats, model, node, op_names


def pool(op: str, shape: tuple[int, ...], opset: int = 22, **attributes: Any) -> onnx.ModelProto:
    return model([node(op, "x", "y", **attributes)], [("x", FLOAT, shape)], ["y"], opset=opset)


def refusal(proto: onnx.ModelProto) -> str:
    with pytest.raises(ConversionError) as error:
        load(proto)
    return str(error.value)


SHAPES = ((2, 3), (2, 3, 4), (2, 3, 4, 1), (1, 2, 3, 2, 4), (1, 2, 2, 3, 2, 4))


@pytest.mark.parametrize(
    ("op", "adaptive", "reduce", "compute"),
    [
        ("GlobalAveragePool", "adaptive_avg_pool", "reduce_mean", np.mean),
        ("GlobalMaxPool", "adaptive_max_pool", "reduce_max", np.max),
    ],
)
def test_pools_over_whole_images(op: str, adaptive: str, reduce: str, compute: Any) -> None:
    """Frameworks have them over one to three axes; without any, each element is its own."""
    for shape in SHAPES:
        x, taken = floats(*shape), load(pool(op, shape))
        (found,) = Evaluator("exact").run(taken, {"x": x}).values()
        np.testing.assert_allclose(found, compute(x, tuple(range(2, len(shape))), keepdims=True), rtol=1e-5, atol=1e-6)
        assert op_names(taken) == [adaptive if 3 <= len(shape) <= 5 else reduce]
    assert "lacks a batch and channels" in refusal(pool(op, (3,)))


@pytest.mark.parametrize("opset", [2, 22])
def test_norms_of_whole_images(opset: int) -> None:
    for shape in SHAPES:
        x = floats(*shape)
        for p in (1, 2, 3, 4):
            taken = load(pool("GlobalLpPool", shape, opset, p=p))
            (found,) = Evaluator("exact").run(taken, {"x": x}).values()
            total = (np.abs(x.astype(np.float64)) ** p).sum(tuple(range(2, len(shape))), keepdims=True)
            np.testing.assert_allclose(found, total ** (1 / p), rtol=1e-5, atol=1e-6)
            assert ("pow" in op_names(taken)) == (p > 2)
        for p in (0, -1):
            assert f"p={p} is not defined" in refusal(pool("GlobalLpPool", shape, opset, p=p))
    assert "lacks a batch and channels" in refusal(pool("GlobalLpPool", (3,), opset))


@pytest.mark.parametrize("opset", [11, 18, 22])
def test_norms_of_windows(opset: int) -> None:
    for p in (1, 2, 3, None):
        given: dict[str, Any] = {} if p is None else {"p": p}
        for more in ({}, {"strides": [2, 1]}, {"pads": [1, 0, 1, 1]}):
            proto = pool("LpPool", (1, 2, 7, 5), opset, kernel_shape=[3, 2], **given, **more)
            taken = agree(proto, {"x": floats(1, 2, 7, 5)})
            assert ("pow" in op_names(taken)) == (p == 3)
    assert "p=0 is not defined" in refusal(pool("LpPool", (1, 2, 7, 5), opset, kernel_shape=[3, 2], p=0))


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "LpPool", "MaxUnpool"])
def test_windows_that_a_file_leaves_open(op: str) -> None:
    """No window is a guess: its sizes must be there, one for each axis."""
    for window in ((), (3,), (3, 3, 3)):
        proto = pool(op, (1, 2, 6, 6), kernel_shape=[1])
        (sizes,) = proto.graph.node[0].attribute
        sizes.ints[:] = window
        if op == "MaxUnpool":
            proto.graph.node[0].input.append("i")
            proto.graph.input.append(onnx.helper.make_tensor_value_info("i", onnx.TensorProto.INT64, (1, 2, 6, 6)))
        assert f"kernel_shape={list(window)} does not fit 2 spatial axes" in refusal(proto)
    proto.graph.node[0].attribute.pop()
    assert "the required attribute kernel_shape is missing" in refusal(proto)
