"""Gemm: which forms are a linear layer, what C may be, and products of integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.core import Model
from ir.eval import Evaluator
from tests.importers.onnx.models import FLOAT, agree, floats, model, node, op_names


def gemm(*shapes: Any, kind: int = FLOAT, **attributes: Any) -> onnx.ModelProto:
    """Operands of these shapes."""
    names = "abc"[: len(shapes)]
    declared = [(n, kind, s) for n, s in zip(names, shapes)]
    result = f"y@{onnx.TensorProto.DataType.Name(kind)}"
    return model([node("Gemm", " ".join(names), "y", **attributes)], declared, [result], opset=13)


def agreed(*shapes: tuple[int, ...], **attributes: Any) -> Model:
    return agree(gemm(*shapes, **attributes), {n: floats(*s, seed=i) for i, (n, s) in enumerate(zip("abc", shapes))})


def refusal(proto: onnx.ModelProto) -> str:
    with pytest.raises(ConversionError) as error:
        load(proto)
    return str(error.value)


@pytest.mark.parametrize(
    ("shapes", "attributes", "ops"),
    [
        (((2, 3), (4, 3), (4,)), {}, ["linear"]),
        (((2, 3), (4, 3)), {}, ["linear"]),
        (((3, 2), (4, 3), (4,)), {"transA": 1}, ["transpose", "linear"]),
        (((2, 3), (4, 3), (4,)), {"beta": 0.0}, ["linear"]),
        (((2, 3), (4, 3), (4,)), {"beta": 2.0}, ["transpose", "matmul", "mul", "add"]),
        (((2, 3), (4, 3), (4,)), {"alpha": 2.0}, ["transpose", "matmul", "mul", "add"]),
        (((2, 1), (4, 1), (1,)), {}, ["transpose", "matmul", "add"]),
        (((2, 3), (4, 3), (2, 4)), {}, ["transpose", "matmul", "add"]),
        (((2, 3), (4, 3), (2, 1)), {}, ["transpose", "matmul", "add"]),
        (((2, 3), (4, 3), ()), {}, ["transpose", "matmul", "add"]),
        (((2, 3), (3, 4), (4,)), {"transB": 0}, ["matmul", "add"]),
        (((3, 2), (3, 4), (4,)), {"transA": 1, "transB": 0}, ["transpose", "matmul", "add"]),
    ],
)
def test_what_is_a_linear_layer(shapes: Any, attributes: dict[str, Any], ops: list[str]) -> None:
    """A bias has an element for each row of B, which is no column of it."""
    assert [o for o in op_names(agreed(*shapes, **{"transB": 1, **attributes})) if o != "constant"] == ops


def test_operands_that_are_no_matrices() -> None:
    for shapes in (((2, 2, 3), (3, 4)), ((2, 3), (2, 3, 4)), ((3,), (3, 4)), ((2, 3), (3,)), ((2, 2, 3), (2, 3, 4))):
        assert "must be matrices" in refusal(gemm(*shapes))
    for shape in ((2, 2, 4), (1, 2, 4), (1, 1, 1)):
        assert "C must broadcast to a matrix" in refusal(gemm((2, 3), (3, 4), shape))


def test_products_of_integers() -> None:
    """Factors are float attributes: whole ones multiply integers, others are not defined for them."""
    shapes = ((2, 3), (3, 4), (4,))
    given = {n: np.arange(-3, np.prod(s) - 3).reshape(s) for n, s in zip("abc", shapes)}
    proto = gemm(*shapes, kind=onnx.TensorProto.INT64, alpha=3.0, beta=-2.0)
    (found,) = Evaluator("exact").run(load(proto), given).values()
    np.testing.assert_array_equal(found, 3 * (given["a"] @ given["b"]) - 2 * given["c"])
    assert found.dtype == np.int64
    for attributes in ({"alpha": 0.5}, {"beta": 1.5}):
        said = refusal(gemm(*shapes, kind=onnx.TensorProto.INT64, **attributes))
        assert "how integers times" in said and "rounded" in said
