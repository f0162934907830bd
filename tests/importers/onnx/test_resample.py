"""Resize with a region (tf_crop_and_resize) and with factors that only the run knows, against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.core import Model
from ir.eval import Evaluator
from tests.importers.onnx.models import FLOAT, INT64, agree, floats, model, node, op_names

CROP = "tf_crop_and_resize"
REGIONS = ([0, 0, 0.2, 0.1, 1, 1, 0.8, 0.7], [0, 0, -0.4, 0.3, 1, 1, 0.6, 1.5], [0, 0, 0.9, 1.2, 1, 1, 0.1, -0.2])


def resized(
    given: dict[str, Any], stored: dict[str, Any], shape: Any = (2, 3, 5, 6), opset: int = 13, **attributes: Any
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """A Resize whose operands (roi, scales, sizes) are inputs or weights, by name."""
    x = floats(*[n if isinstance(n, int) else m for n, m in zip(shape, (2, 3, 5, 6))])
    names = " ".join(n if n in given or n in stored else "_" for n in ("x", "roi", "scales", "sizes")).rstrip(" _")
    kinds = {"x": FLOAT, "roi": FLOAT, "scales": FLOAT, "sizes": INT64}
    inputs = {"x": x, **{k: np.asarray(v, np.int64 if k == "sizes" else np.float32) for k, v in given.items()}}
    weights = {k: np.asarray(v, np.int64 if k == "sizes" else np.float32) for k, v in stored.items()}
    declared = [(k, kinds[k], shape if k == "x" else v.shape) for k, v in inputs.items()]
    return model([node("Resize", "x" + names[1:], "y", **attributes)], declared, ["y"], weights, opset=opset), inputs


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("region", REGIONS, ids=str)
@pytest.mark.parametrize("opset", [11, 13, 19])
def test_regions(mode: str, region: list[float], opset: int) -> None:
    options: dict[str, Any] = {
        "mode": mode,
        "coordinate_transformation_mode": CROP,
        "extrapolation_value": 7.5,
        "opset": opset,
    }
    options |= {"nearest_mode": "ceil"} if mode == "nearest" else {}
    none: dict[str, Any] = {"scales": []} if opset < 13 else {}
    for sizes in ([2, 3, 4, 3], [2, 3, 8, 7], *([[2, 3, 1, 4]] if mode != "cubic" else [])):
        agree(*resized({}, none | {"roi": region, "sizes": sizes}, **options))
        agree(*resized({"roi": region}, none | {"sizes": sizes}, **options))
        agree(*resized({"roi": region}, none | {"sizes": sizes}, ("n", 3, "h", "w"), **options))
        agree(*resized({"roi": region, "sizes": sizes}, none, **options))


def test_a_region_that_is_the_whole_axis_leaves_it_alone() -> None:
    """ONNX Runtime leaves every axis alone whose size stays; of a part of it, ONNX's reference is the measure."""
    crop: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": CROP}
    taken = agree(*resized({}, {"roi": [0, 0, 0.1, 0, 1, 1, 0.9, 1], "sizes": [2, 3, 7, 6]}, **crop))
    assert op_names(taken).count("sample_axis") == 1
    proto, inputs = resized({}, {"roi": [0, 0, 0.1, 0.5, 1, 1, 0.9, 1], "sizes": [2, 3, 7, 6]}, **crop)
    assert op_names(as_reference(proto, inputs)).count("sample_axis") == 2
    proto, inputs = resized({}, {"roi": [0, 0, 0.1, 0, 1, 1, 0.9, 0.5], "sizes": [2, 3, 7, 6]}, **crop)
    assert any("stays" in n for n in as_reference(proto, inputs).notes)


def as_reference(proto: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> Model:
    """Import and onnx.reference agree; returns the import."""
    taken = load(proto)
    (want,) = ReferenceEvaluator(proto).run(None, inputs)
    (found,) = Evaluator("exact").run(taken, inputs).values()
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-5)
    return taken


@pytest.mark.parametrize("axes", [[2, 3], [3, 2], [3]])
def test_regions_of_some_axes(axes: list[int]) -> None:
    stored = {"roi": [0.1, 0.4, 0.6, 1.2][: len(axes)] + [0.9, 0.7][: len(axes)], "sizes": [4, 3][: len(axes)]}
    as_reference(*resized({}, stored, opset=19, mode="linear", axes=axes, coordinate_transformation_mode=CROP))


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("coordinates", ["half_pixel", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric"])
def test_factors_that_the_run_tells(mode: str, coordinates: str) -> None:
    options: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": coordinates, "opset": 19}
    for scales in ([1, 1, 2, 1.5], [1, 1, 0.6, 1.3], [1, 1, 0.2, 3]):
        for rounding in (
            ("round_prefer_ceil", "floor")[: 1 + (coordinates == "asymmetric")] if mode == "nearest" else (None,)
        ):
            extra = {"nearest_mode": rounding} if rounding else {}
            agree(*resized({"scales": scales}, {}, **options, **extra))
            agree(*resized({"scales": scales}, {}, ("n", 3, "h", "w"), **options, **extra))


def test_factors_of_opset_11() -> None:
    """`tf_half_pixel_for_nn`, which later versions lack, takes no half off."""
    for scales in ([1, 1, 2, 1.5], [1, 1, 0.6, 1.3]):
        options: dict[str, Any] = {
            "mode": "nearest",
            "coordinate_transformation_mode": "tf_half_pixel_for_nn",
            "opset": 11,
        }
        agree(*resized({"scales": scales}, {"roi": []}, nearest_mode="floor", **options))


def test_excluding_what_lies_outside() -> None:
    options: dict[str, Any] = {"mode": "cubic", "exclude_outside": 1, "cubic_coeff_a": -0.5}
    agree(*resized({"scales": [1, 1, 1.5, 0.7]}, {}, **options))


def refusal(*given: Any, **options: Any) -> str:
    with pytest.raises(ConversionError) as error:
        load(resized(*given, **options)[0])
    return str(error.value)


def test_refused() -> None:
    crop: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": CROP}
    region = {"roi": REGIONS[0]}
    assert "other sizes" in refusal({}, region | {"scales": [1, 1, 2, 2]}, **crop)
    assert "region roi is needed" in refusal({}, {"sizes": [2, 3, 4, 4]}, **crop)
    assert "not defined" in refusal({}, region | {"sizes": [2, 3, 4, 4]}, opset=19, antialias=1, **crop)
    corners = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    assert "align_corners do not allow" in refusal({"scales": [1, 1, 2, 2]}, {}, **corners)
    assert "do not fit" in refusal({"scales": [2, 2]}, {}, mode="linear")


@pytest.mark.parametrize(("op", "opset"), [("Upsample", 7), ("Upsample", 9), ("Resize", 10)])
def test_nearest_neighbours_of_old_versions_only_enlarge(op: str, opset: int) -> None:
    """Rounding is agreed on for factors from 1 on; interpolation shrinks as well."""

    def scaled(factor: float, mode: str) -> onnx.ModelProto:
        scales = [1.0, 1.0, 2.0, factor]
        stored = {} if opset == 7 else {"s": np.array(scales, np.float32)}
        made = node(op, "x s" if stored else "x", "y", mode=mode, **({} if stored else {"scales": scales}))
        return model([made], [("x", FLOAT, [1, 2, 4, 6])], ["y"], stored, opset=opset)

    for factor, mode in ((1.0, "nearest"), (1.5, "nearest"), (2.0, "linear"), (0.5, "linear")):
        (found,) = Evaluator("exact").run(load(scaled(factor, mode)), {"x": floats(1, 2, 4, 6)}).values()
        assert found.shape == (1, 2, 8, int(6 * factor))
    with pytest.raises(ConversionError) as error:
        load(scaled(0.5, "nearest"))
    (why,) = error.value.unsupported
    assert "shrinking by nearest neighbour is not defined" in why.reason and "newer opset" in why.advice


def test_aligned_corners_of_a_kept_aspect() -> None:
    """The size that the corners align by is that before rounding, or that after: they must be the same."""
    aligned: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "align_corners", "axes": [2, 3]}
    for policy, sizes, fits in (
        ("not_larger", [10, 8], False), ("not_smaller", [10, 13], False), ("not_larger", [10, 12], True),
        ("not_smaller", [10, 7], True), ("stretch", [7, 9], True),
    ):  # fmt: skip
        proto, inputs = resized({}, {"sizes": sizes}, opset=18, keep_aspect_ratio_policy=policy, **aligned)
        if fits:
            agree(proto, inputs)
            continue
        with pytest.raises(ConversionError, match="align_corners with size 5 times .* is not defined alike"):
            load(proto)
