"""Ops of object detectors and distinct elements, at random, against ONNX Runtime."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.eval import EvaluationError, Evaluator
from tests.importers.onnx.models import FLOAT, INT64, agree, floats, model, node


def boxes(seed: int, batch: int, count: int, centred: int) -> np.ndarray:
    """Boxes on a grid of quarters, with repeated and flat ones, so that thresholds and ties are met."""
    rng = np.random.default_rng(seed)
    made = rng.integers(0, 9, (batch, count, 4)) / 4
    if centred:
        return made.astype(np.float32)
    made[:, 0] = made[:, -1]
    return made.astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("centred", [0, 1])
def test_non_max_suppression(seed: int, centred: int) -> None:
    rng = np.random.default_rng(seed)
    batch, classes, count = 2, 3, int(rng.integers(1, 13))
    inputs = {
        "b": boxes(seed, batch, count, centred),
        "s": (rng.integers(0, 8, (batch, classes, count)) / 8).astype(np.float32),
    }
    declared = [("b", FLOAT, ["n", "k", 4]), ("s", FLOAT, ["n", classes, "k"])]
    for limit, overlap, lowest in itertools.product((1, 3, 2**40), (0.0, 0.25, 0.5), (None, 0.0, 0.375)):
        stored: dict[str, Any] = {"l": np.array([limit]), "o": np.array([overlap], np.float32)}
        stored |= {} if lowest is None else {"t": np.array([lowest], np.float32)}
        made = node("NonMaxSuppression", "b s l o" + " t" * (lowest is not None), "y", center_point_box=centred)
        agree(model([made], declared, ["y@INT64"], stored, opset=11), inputs)


def test_boxes_that_meet_nowhere_are_kept_without_a_threshold() -> None:
    """Which is 0 where none is given."""
    inputs = {"b": boxes(1, 2, 9, 0), "s": floats(2, 2, 9)}
    declared = [("b", FLOAT, (2, 9, 4)), ("s", FLOAT, (2, 2, 9))]
    for count in (1, 4, 9):
        made = node("NonMaxSuppression", "b s l", "y")
        taken = agree(model([made], declared, ["y@INT64"], {"l": np.array([count])}), inputs)
        (found,) = Evaluator("exact").run(taken, inputs).values()
        assert len(found) >= 4


def test_no_box_is_kept_unless_a_number_is_given() -> None:
    inputs = {"b": boxes(0, 1, 4, 0), "s": floats(1, 1, 4)}
    proto = model(
        [node("NonMaxSuppression", "b s", "y")], [("b", FLOAT, (1, 4, 4)), ("s", FLOAT, (1, 1, 4))], ["y@INT64"]
    )
    agree(proto, inputs)


@pytest.mark.parametrize("opset", [10, 16])
@pytest.mark.parametrize("grid", [1, 3])
def test_aligned_regions(opset: int, grid: int) -> None:
    rng = np.random.default_rng(opset)
    start = rng.uniform(-4, 12, (7, 2))
    rois = np.concatenate([start, start + rng.uniform(-1, 14, (7, 2))], 1).astype(np.float32)
    inputs = {"x": floats(2, 3, 6, 5), "r": rois, "i": rng.integers(0, 2, 7)}
    declared = [("x", FLOAT, ("n", 3, "h", "w")), ("r", FLOAT, ("k", 4)), ("i", INT64, ("k",))]
    modes: list[dict[str, Any]] = [{}]
    if opset >= 16:
        modes = [
            {"coordinate_transformation_mode": m, "mode": k}
            for m in ("half_pixel", "output_half_pixel")
            for k in ("avg", "max")
        ]
    for mode in modes:
        made = node(
            "RoiAlign", "x r i", "y", output_height=3, output_width=2, sampling_ratio=grid, spatial_scale=0.5, **mode
        )
        agree(model([made], declared, ["y"], opset=opset), inputs)


def test_what_is_not_done_of_aligned_regions() -> None:
    declared = [("x", FLOAT, (1, 3, 6, 5)), ("r", FLOAT, (2, 4)), ("i", INT64, (2,))]
    with pytest.raises(ConversionError, match="sampling_ratio=0"):
        load(model([node("RoiAlign", "x r i", "y")], declared, ["y"]))


@pytest.mark.parametrize(("shape", "scale"), [((2, 3), 0.5), ((3, 1), 1.0), ((1, 2), 0.37)])
def test_largest_of_regions(shape: tuple[int, int], scale: float) -> None:
    """Corners on halves of pixels, before the image, behind it, and the wrong way round; negative features."""
    rng = np.random.default_rng(shape)
    rois = np.concatenate([rng.integers(0, 2, (9, 1)), rng.integers(-6, 26, (9, 4)) / 2], 1).astype(np.float32)
    declared = [("x", FLOAT, ("n", 3, "h", "w")), ("r", FLOAT, ("k", 5))]
    made = node("MaxRoiPool", "x r", "y", pooled_shape=shape, spatial_scale=scale)
    proto = model([made], declared, ["y"], opset=11)
    taken = agree(proto, {"x": floats(2, 3, 6, 5) - 2, "r": rois})
    for sample in (-1, 2):
        rois[3, 0] = sample
        with pytest.raises(EvaluationError, match="out of range|negative"):
            Evaluator("exact").run(taken, {"x": floats(2, 3, 6, 5), "r": rois})


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("shared", [1, 2])
@pytest.mark.parametrize("extras", ["", "b", "m", "bm"])
def test_deformable_convolution(groups: int, shared: int, extras: str) -> None:
    attributes = {"group": groups, "offset_group": shared, "strides": [2, 1], "pads": [1, 0, 2, 1], "dilations": [1, 2]}
    stored = {"w": floats(6, 4 // groups, 3, 2, seed=1)}
    sizes = {"x": (2, 4, 7, 6), "o": (2, shared * 12, 4, 5)} | ({"m": (2, shared * 6, 4, 5)} if "m" in extras else {})
    inputs = {k: 2 * floats(*v, seed=i) for i, (k, v) in enumerate(sizes.items())}
    stored |= {"b": floats(6, seed=2)} if "b" in extras else {}
    names = "x w o " + " ".join(n if n in extras else "_" for n in "bm")
    made = node("DeformConv", names.rstrip(" _"), "y", **attributes)
    agree(model([made], [(k, FLOAT, v) for k, v in sizes.items()], ["y"], stored, opset=19), inputs)


def test_deformable_convolution_without_padding() -> None:
    """All numbers of padding are 0 where none are given, whatever the sizes."""
    inputs = {"x": floats(1, 2, 5, 6), "o": floats(1, 12, 3, 5, seed=1)}
    made = node("DeformConv", "x w o", "y")
    agree(
        model([made], [(k, FLOAT, v.shape) for k, v in inputs.items()], ["y"], {"w": floats(3, 2, 3, 2)}, opset=19),
        inputs,
    )
    for sizes in ((2, 5), (3, 4), (4, 5), (1, 1)):
        other = [("x", FLOAT, (1, 2, 5, 6)), ("o", FLOAT, (1, 12, *sizes))]
        with pytest.raises(ConversionError, match="offsets and places of the window"):
            load(model([made], other, ["y"], {"w": floats(3, 2, 3, 2)}, opset=19))
    wrong = node("DeformConv", "x w o", "y", kernel_shape=[2, 3])
    with pytest.raises(ConversionError, match="kernel_shape"):
        load(
            model([wrong], [(k, FLOAT, v.shape) for k, v in inputs.items()], ["y"], {"w": floats(3, 2, 3, 2)}, opset=19)
        )


@pytest.mark.parametrize("ordered", [0, 1])
@pytest.mark.parametrize("shape", [(9,), (4, 5), (1,), ()])
def test_distinct_elements(ordered: int, shape: tuple[int, ...]) -> None:
    for kind, name in ((np.float32, "FLOAT"), (np.int64, "INT64")):
        inputs = {"x": np.random.default_rng(3).integers(-2, 4, shape).astype(kind)}
        declared = [("x", FLOAT if kind == np.float32 else INT64, shape)]
        outputs = [f"y@{name}", "first@INT64", "which@INT64", "counts@INT64"]
        made = node("Unique", "x", "y first which counts", sorted=ordered)
        agree(model([made], declared, outputs), inputs)
    if len(shape) == 1:
        agree(
            model(
                [node("Unique", "x", "y _ which", sorted=ordered, axis=0)],
                [("x", INT64, ["n"])],
                ["y@INT64", "which@INT64"],
            ),
            inputs,
        )


@pytest.mark.parametrize("ordered", [0, 1])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_distinct_slices(ordered: int, axis: int) -> None:
    inputs = {"x": np.random.default_rng(4).integers(0, 2, (5, 6, 2)).astype(np.float32)}
    outputs = ["y", "first@INT64", "which@INT64", "counts@INT64"]
    agree(
        model(
            [node("Unique", "x", "y first which counts", sorted=ordered, axis=axis)], [("x", FLOAT, (5, 6, 2))], outputs
        ),
        inputs,
    )


def test_wide_slices_are_refused() -> None:
    with pytest.raises(ConversionError, match="slices of 65 elements"):
        load(model([node("Unique", "x", "y", axis=0)], [("x", FLOAT, (3, 65))], ["y"]))
