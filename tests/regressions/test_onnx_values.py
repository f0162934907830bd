"""ONNX ops on values at the edge: the largest float, NaN, conditions shorter than their axis, empty axes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.importers.onnx.models import FLOAT, floats, model, node
from tests.regressions.routes import same_everywhere

EDGES = np.array([0.4, -0.6, np.nan, np.inf, -np.inf, 3e38], np.float32)


@pytest.mark.parametrize("bounds", [{}, {"min": -0.5}, {"max": 0.5}])
def test_bounds_of_clip_before_opset_11(bounds: dict[str, float]) -> None:
    """The default bounds are the largest float32, whose shortest decimal PyTorch takes for an overflow."""
    same_everywhere(model([node("Clip", "x", "y", **bounds)], [("x", FLOAT, ["n"])], ["y"], opset=7), {"x": EDGES})


@pytest.mark.parametrize(("names", "code"), [("x low", FLOAT), ("x _ high", onnx.TensorProto.FLOAT16)])
def test_an_absent_bound_of_clip_is_the_largest_number(names: str, code: int) -> None:
    """Infinities are bounded, as ONNX's text says and ONNX Runtime does."""
    kind = onnx.helper.tensor_dtype_to_np_dtype(code)
    bounds = {"low": kind.type(-0.5), "high": kind.type(0.5)}
    stored = {k: v for k, v in bounds.items() if k in names}
    x = np.array([0.4, -0.6, np.nan, np.inf, -np.inf], kind)
    result = f"y@{onnx.TensorProto.DataType.Name(code)}"
    same_everywhere(model([node("Clip", names, "y")], [("x", code, ["n"])], [result], stored), {"x": x})


@pytest.mark.parametrize("settings", [{}, {"lambd": 0.3, "bias": 0.3}, {"lambd": 0.3, "bias": 0.1}, {"lambd": -0.5}])
def test_nan_shrinks_to_zero(settings: dict[str, float]) -> None:
    same_everywhere(model([node("Shrink", "x", "y", **settings)], [("x", FLOAT, ["n"])], ["y"]), {"x": EDGES})


@pytest.mark.parametrize("axis", [0, 1])
def test_a_known_condition_may_be_shorter_than_its_axis(axis: int) -> None:
    proto = model(
        [node("Compress", "x c", "y", axis=axis)], [("x", FLOAT, ["n", "m"])], ["y"], {"c": np.array([False, True])}
    )
    same_everywhere(proto, {"x": floats(3, 4)}, {"x": floats(2, 2)})
