"""Resizing with a kept aspect ratio: the factor, not the rounded size, says where an element lies."""

from __future__ import annotations

import numpy as np
import pytest

from converter import ConversionError
from converter.importers.onnx import load
from tests.importers.onnx.models import FLOAT, floats, model, node
from tests.regressions.routes import same_everywhere


@pytest.mark.parametrize("sizes", [[7, 8], [8, 3]])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
def test_the_factor_stays_what_it_was_before_rounding(policy: str, mode: str, sizes: list[int]) -> None:
    resize = node("Resize", "x _ _ sizes", "y", mode=mode, axes=[3, 2], keep_aspect_ratio_policy=policy)
    proto = model([resize], [("x", FLOAT, [1, 2, 5, 7])], ["y"], {"sizes": np.array(sizes)}, opset=18)
    same_everywhere(proto, {"x": floats(1, 2, 5, 7)}, opsets=(13, 20))


def test_aligned_corners_with_a_factor_that_is_rounded() -> None:
    resize = node("Resize", "x _ _ sizes", "y", mode="linear", axes=[2, 3], keep_aspect_ratio_policy="not_larger",
                  coordinate_transformation_mode="align_corners")  # fmt: skip
    proto = model([resize], [("x", FLOAT, [1, 2, 5, 7])], ["y"], {"sizes": np.array([7, 8])}, opset=18)
    with pytest.raises(ConversionError, match="align_corners"):
        load(proto)
