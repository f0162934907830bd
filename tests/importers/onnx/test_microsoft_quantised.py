"""Quantised operators of ONNX Runtime's own domain: forms of scales and zero points, ranges at their ends, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.eval import Evaluator
from tests.importers.onnx.models import agree, floats
from tests.importers.onnx.test_microsoft import one, q, refusal, s, same


def vectors(given: dict[str, Any]) -> dict[str, Any]:
    """Scales and zero points as vectors of one."""
    return {k: v.reshape(1) if v is not None and k[0] == "_" and v.ndim == 0 else v for k, v in given.items()}


ONE: dict[str, Any] = {"_xs": s(0.25), "_xz": np.array(7, np.uint8), "_ys": s(0.5), "_yz": np.array(61, np.uint8)}


@pytest.mark.parametrize("shape", [(), (4,), (3, 4)])
def test_scales_of_one_number_may_be_vectors(shape: tuple[int, ...]) -> None:
    """They add no axis to a number."""
    given = {"x": q(*shape), **ONE}
    for form in (given, vectors(given)):
        same("QLinearSigmoid", form | {"_ys": form["_ys"] / 128}, kinds="UINT8")
        same("QLinearLeakyRelu", form, kinds="UINT8", alpha=0.5)


@pytest.mark.parametrize("name", ONE)
def test_scales_of_several_numbers_are_refused(name: str) -> None:
    given = {"x": q(3, 2), **ONE}
    given |= {name: given[name].repeat(2)}
    for op in ("QLinearLeakyRelu", "QLinearSoftmax"):
        proto, _ = one(op, given)
        if op == "QLinearSoftmax":  # `opset` is an attribute of it
            proto.graph.node[0].attribute.append(onnx.helper.make_attribute("opset", 13))
        with pytest.raises(ConversionError, match="is not one number"):
            load(proto)


# -- products -------------------------------------------------------------------------------------------------------
PRODUCT: dict[str, Any] = {
    "a": q(4, 5), "b": q(5, 6, seed=1, half=True), "_s": s(0.03), "_t": s(0.02), "_y": np.array(9, np.uint8),
    "_z": np.array(5, np.uint8),
}  # fmt: skip
GEMM: dict[str, Any] = {
    "a": q(4, 5), "_as": s(0.25), "_az": np.array(30, np.uint8), "_b": q(5, 6, kind="int8", half=True), "_bs": s(0.5),
    "_bz": np.array(5, np.int8), "_c": None,
}  # fmt: skip
ATTENTION: dict[str, Any] = {
    "x": q(2, 4, 5), "_w": q(5, 18, kind="int8", half=True), "_b": floats(18), "_s": s(0.01), "_t": s(0.02), "m": None,
    "_y": np.array(9, np.uint8), "_z": np.array(3, np.int8),
}  # fmt: skip


def test_products_of_numbers_in_vectors() -> None:
    """Of two vectors there is one number, whose scales add no axis."""
    for given in (PRODUCT, PRODUCT | {"a": q(5)}, PRODUCT | {"a": q(5), "b": q(5, half=True)}):
        same("MatMulIntegerToFloat", given)
        same("MatMulIntegerToFloat", vectors(given))
    same("QGemm", vectors(GEMM))
    same("QAttention", vectors(ATTENTION), num_heads=2)
    for a, b in ((floats(5), q(5, half=True)), (floats(4, 5), q(5, 6, half=True))):
        same("DynamicQuantizeMatMul", {"a": a, "_b": b, "_s": s([0.02]), "_z": np.array([5], np.uint8)})


def test_what_products_need_one_number_of() -> None:
    """ONNX Runtime calls the zero point of A one for each column, or row, and takes neither."""
    for size in (4, 5):
        assert "is not one number" in refusal("MatMulIntegerToFloat", PRODUCT | {"_y": q(size)})
        assert "is not one number" in refusal("QGemm", GEMM | {"_az": q(size)})
        assert "is not one number" in refusal("QAttention", ATTENTION | {"_y": q(size)}, num_heads=2)
    wide = floats(1, 6)
    assert "nor one for each column" in refusal("MatMulIntegerToFloat", PRODUCT | {"_t": wide})
    assert "nor one for each column" in refusal("QGemm", GEMM | {"_bs": wide})
    for name in ("do_rotary", "past_present_share_buffer"):
        assert "does not state" in refusal("QAttention", ATTENTION, num_heads=2, **{name: 1})
    out = {"_ys": s(16.0), "_yz": np.array(101, np.uint8)}
    for name in out:
        assert "only one of y_scale" in refusal("QGemm", GEMM | out | {name: None})


RANGES = {
    "below zero": [-3.0, -0.5, -1.25], "above zero": [0.125, 0.5, 0.25], "below one": [-0.75, 0.5, 0.25],
    "as far down as up": [-255.0, 255.0, 3.0], "up to zero": [-2.0, 0.0, -1.0], "zero": [0.0, 0.0, 0.0],
}  # fmt: skip


@pytest.mark.parametrize("name", RANGES)
def test_ranges_that_are_found_on_the_way(name: str) -> None:
    """0 lies in every range; where both ends are as far away, the highest code is the end of its type."""
    given = {"a": np.array([RANGES[name]], np.float32), "_b": q(3, 4, half=True), "_s": s(0.02)}
    values: dict[Any, np.ndarray] = {}
    proto, inputs = one("DynamicQuantizeMatMul", given)
    taken = agree(proto, inputs)
    Evaluator("exact", observe=values.__setitem__).run(taken, inputs)
    assert all(np.isfinite(v).all() for v in values.values()), "nothing is divided by a range of zero"
