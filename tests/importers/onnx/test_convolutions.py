"""Padding by name over every small window, whole output shapes, and blocks that do not fit."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.eval import Evaluator
from tests.importers.onnx.models import FLOAT, agree, floats, model, node, runtime
from tests.importers.onnx.test_attribute_values import refusal

SIZES = range(7, 15)


def padded(
    op: str, size: Any, window: int, stride: int, auto_pad: str = "SAME_UPPER", dilation: int = 1
) -> onnx.ModelProto:
    attributes: dict[str, Any] = {"auto_pad": auto_pad, "strides": [stride]}
    attributes |= {"dilations": [dilation]} if op == "Conv" else {"kernel_shape": [window], "p": 1}
    stored = {"w": np.ones((1, 1, window), np.float32)} if op == "Conv" else {}
    made = node(op, "x w" if op == "Conv" else "x", "y", **attributes)
    return model([made], [("x", FLOAT, (1, 1, size))], ["y"], stored)


def as_tensorflow(
    x: np.ndarray, window: int, stride: int, auto_pad: str = "SAME_UPPER", dilation: int = 1
) -> np.ndarray:
    """Sums of windows; SAME as TensorFlow defines it: nothing is cropped."""
    count = -(-len(x) // stride)
    total = max((count - 1) * stride + (window - 1) * dilation + 1 - len(x), 0)
    before = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
    wide = np.pad(x, (before, total + dilation * window))
    return np.sum([wide[k * dilation :: stride][:count] for k in range(window)], 0)


@pytest.mark.parametrize("window", [1, 2, 3])
@pytest.mark.parametrize("stride", range(1, 8))
def test_padding_by_name_is_refused_where_the_runtimes_differ(window: int, stride: int) -> None:
    """ONNX Runtime crops where strides leave more than one element out behind (one, in some kernels), TensorFlow never."""
    alike = {}
    for size in SIZES:
        proto, x = padded("LpPool", size, window, stride), 1 + np.arange(size, dtype=np.float32)
        (got,) = runtime(proto, {"x": x[None, None]})
        alike[size] = np.array_equal(got[0, 0], as_tensorflow(x, window, stride))
        for op, auto_pad in itertools.product(("LpPool", "Conv"), ("SAME_UPPER", "SAME_LOWER")):
            proto = padded(op, size, window, stride, auto_pad)
            if alike[size]:
                taken = agree(proto, {"x": x[None, None]})
                (found,) = Evaluator("exact").run(taken, {"x": x[None, None]}).values()
                np.testing.assert_array_equal(found[0, 0], as_tensorflow(x, window, stride, auto_pad))
            else:
                assert f"extent {window} at strides of {stride}" in refusal(proto)
    proto = padded("Conv", "n", window, stride)
    if all(alike.values()):
        taken = load(proto)
        for size in SIZES:
            agree(proto, {"x": floats(1, 1, size)}, taken)
    else:
        assert f"extent {window} at strides of {stride}" in refusal(proto)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
def test_padding_by_name_of_windows_with_gaps(auto_pad: str) -> None:
    """Which ONNX Runtime has no kernel for: gaps count to the extent."""
    for window, dilation, stride in ((2, 2, 4), (3, 2, 6), (2, 3, 5), (1, 3, 2), (3, 1, 2)):
        taken = load(padded("Conv", "n", window, stride, auto_pad, dilation))
        for size in SIZES:
            x = 1 + np.arange(size, dtype=np.float32)
            (found,) = Evaluator("exact").run(taken, {"x": x[None, None]}).values()
            np.testing.assert_array_equal(found[0, 0], as_tensorflow(x, window, stride, auto_pad, dilation))
        wide = padded("Conv", "n", window, stride + 1, auto_pad, dilation)
        if (window, dilation) != (3, 1):
            assert f"extent {(window - 1) * dilation + 1} at strides of {stride + 1}" in refusal(wide)


@pytest.mark.parametrize("auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER"])
def test_output_shapes_are_of_the_spatial_axes(auto_pad: str) -> None:
    declared, stored = [("x", FLOAT, (2, 4, 3, 5))], {"w": floats(4, 2, 3, 2)}
    for shape in ([7, 10], [6, 9], [7, 8]):
        made = node("ConvTranspose", "x w", "y", strides=[2, 2], output_shape=shape, auto_pad=auto_pad)
        agree(model([made], declared, ["y"], stored), {"x": floats(2, 4, 3, 5)})
    for shape in ([7], [2, 7, 10], [2, 2, 7, 10]):
        made = node("ConvTranspose", "x w", "y", strides=[2, 2], output_shape=shape, auto_pad=auto_pad)
        assert "does not fit 2 spatial axes" in refusal(model([made], declared, ["y"], stored))


def test_blocks_that_do_not_fit() -> None:
    def blocks(rows: Any, columns: int, image: list[int], block: list[int], **attributes: Any) -> onnx.ModelProto:
        stored = {"i": np.array(image), "b": np.array(block)}
        return model(
            [node("Col2Im", "x i b", "y", **attributes)], [("x", FLOAT, (1, rows, columns))], ["y"], stored, opset=18
        )

    agree(blocks(12, 4, [3, 4], [2, 3]), {"x": floats(1, 12, 4)})
    agree(blocks(6, 10, [5, 4], [2, 3], pads=[0, 1, 1, 0], strides=[1, 2]), {"x": floats(1, 6, 10)})
    for wrong in (
        blocks("r", 4, [3, 4], [2, 3]), blocks(10, 4, [3, 4], [2, 3]), blocks(12, 4, [3, 4], [2, 3, 1]),
        blocks(12, 4, [3, 4, 1], [2, 3]), blocks(12, 4, [3, 4], [2, 3], pads=[0, 0]),
    ):  # fmt: skip
        assert "do not fit blocks of" in refusal(wrong)
    assert "do not fit an image" in refusal(blocks(12, 4, [1, 4], [2, 3]))
    with pytest.raises(ConversionError):
        load(blocks(12, 5, [3, 4], [2, 3]))
