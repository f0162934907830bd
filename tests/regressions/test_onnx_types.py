"""Element types of ONNX: casts to and between 8-bit floats, 4-bit integers through the runtime."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper

import converter
from tests.importers.onnx.models import FLOAT, model, node
from tests.regressions.routes import same_everywhere

F8 = {
    "FLOAT8E4M3FN": ml_dtypes.float8_e4m3fn,
    "FLOAT8E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "FLOAT8E5M2": ml_dtypes.float8_e5m2,
    "FLOAT8E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
}


@pytest.mark.parametrize("saturate", [1, 0])
@pytest.mark.parametrize(("source", "to"), itertools.permutations(F8, 2))
def test_between_8_bit_floats(source: str, to: str, saturate: int) -> None:
    """Every value of a format. 240, the largest of one, is none of e5m2, which has infinities besides."""
    cast = node("Cast", "x", "y", to=getattr(TensorProto, to), saturate=saturate)
    proto = model([cast], [("x", getattr(TensorProto, source), ["n"])], [f"y@{to}"], opset=21)
    same_everywhere(proto, {"x": np.arange(256, dtype=np.uint8).view(F8[source])})


@pytest.mark.parametrize("kind", ["INT16", "INT32", "INT64", "UINT16"])
def test_integers_beyond_an_8_bit_float(kind: str) -> None:
    """PyTorch stops at 448 from integers too."""
    cast = node("Cast", "x", "y", to=TensorProto.FLOAT8E4M3FN, saturate=0)
    proto = model([cast], [("x", getattr(TensorProto, kind), ["n"])], ["y@FLOAT8E4M3FN"], opset=21)
    values = np.array([0, 1, 17, 448, 463, 464, 500, 600, 31000])
    same_everywhere(proto, {"x": values.astype(helper.tensor_dtype_to_np_dtype(getattr(TensorProto, kind)))})


@pytest.mark.parametrize("count", [0, 1, 5, 8])
@pytest.mark.parametrize("kind", ["INT4", "UINT4"])
def test_4_bit_integers_are_packed_for_the_runtime(kind: str, count: int) -> None:
    small = getattr(ml_dtypes, kind.lower())
    values = np.arange(count) - (3 if kind == "INT4" else 0)
    made = model(
        [node("Cast", "x", "y", to=getattr(TensorProto, kind))], [("x", FLOAT, ["n"])], [f"y@{kind}"], opset=21
    )
    out = converter.run(made, {"x": values.astype(np.float32)})["y"]
    assert out.dtype == small
    np.testing.assert_array_equal(out.astype(int), values)
    taken = model([node("Cast", "x", "y", to=FLOAT)], [("x", getattr(TensorProto, kind), ["n"])], ["y"], opset=21)
    np.testing.assert_array_equal(converter.run(taken, {"x": values.astype(small)})["y"], values)
    assert converter.convert(taken, "onnx", opset=21).report.verification.passed  # type: ignore[union-attr]
