"""Resize with a region (tf_crop_and_resize) and with factors that only the run knows, and grids, against ONNX Runtime."""

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


@pytest.mark.parametrize(
    ("region", "sizes", "told"),
    [
        ([0, 0, 0, 0, 1, 1, 1, 1], [2, 3, 7, 6], False), ([0, 0, 0.1, 0, 1, 1, 0.9, 1], [2, 3, 7, 6], False),
        ([0, 0, 0, 0, 1, 1, 1, 0.9], [2, 3, 7, 6], True), ([0, 0, 0.1, 0.25, 1, 1, 0.9, 0.75], [2, 3, 7, 6], True),
        ([0, 0, 0.1, 0.25, 1, 1, 0.9, 0.75], [2, 3, 7, 8], False),
    ],
)  # fmt: skip
def test_a_crop_that_keeps_its_size_is_told_of(region: list[float], sizes: list[int], told: bool) -> None:
    """Whether or not another axis changes its size, of whose region all or a part is taken."""
    crop: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": CROP}
    taken = as_reference(*resized({}, {"roi": region, "sizes": sizes}, **crop))
    assert any("crops an axis whose size stays" in n for n in taken.notes) == told


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
    with pytest.raises(ConversionError) as error:
        load(resized({}, region | {"scales": [1, 1, 2, 2]}, **crop)[0])
    (why,) = error.value.unsupported
    assert "other sizes" in why.reason and why.advice == "give sizes instead"
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


def test_factors_that_change_no_size() -> None:
    """ONNX Runtime copies then; all factors being 1 everyone does."""
    for scales in ([1, 1, 1, 1], [1, 1, 2, 1], [1, 1, 1.1, 1.2], [1, 1, 1.5, 1.5]):
        agree(*resized({}, {"scales": scales}, mode="linear"))
    for scales in ([1, 1, 1.1, 1.1], [1, 1, 1, 1.1], [1.1, 1.1, 1.1, 1.1]):
        assert "that change no size are not done alike" in refusal({}, {"scales": scales}, mode="linear")
    for scales, axes in (([1.1, 1.1], [2, 3]), ([1.1], [3])):
        assert "that change no size" in refusal({}, {"scales": scales}, mode="linear", opset=18, axes=axes)
    agree(*resized({}, {"scales": [2, 3]}, mode="linear", opset=18, axes=[2, 3]))


def test_aligned_corners_by_factors() -> None:
    """Allowed where no size is rounded, which a whole factor makes sure of at every size."""
    aligned: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    for scales in ([1, 1, 3, 2.5], [1, 1, 1.4, 1.5], [1, 1, 2, 1.5], [1, 1, 2, 3]):
        agree(*resized({}, {"scales": scales}, **aligned))
    agree(*resized({}, {"scales": [1, 1, 2, 3]}, ("n", 3, "h", "w"), **aligned))
    assert "align_corners with size 5 times 1.5" in refusal({}, {"scales": [1, 1, 1.5, 2]}, **aligned)
    assert "align_corners with size w times 1.5" in refusal(
        {}, {"scales": [1, 1, 2, 1.5]}, ("n", 3, "h", "w"), **aligned
    )


@pytest.mark.parametrize(("opset", "known"), [(11, True), (12, True), (13, False), (18, False), (19, False)])
def test_coordinates_of_opset_11_are_unknown_later(opset: int, known: bool) -> None:
    options: dict[str, Any] = {"mode": "nearest", "nearest_mode": "floor", "opset": opset}
    options["coordinate_transformation_mode"] = "tf_half_pixel_for_nn"
    stored = {"roi": [], "scales": [1, 1, 2, 1.5]}
    if known:
        agree(*resized({}, stored, **options))
    else:
        assert "coordinate_transformation_mode='tf_half_pixel_for_nn' is none of" in refusal({}, stored, **options)


def test_what_lies_outside_has_no_value_without_a_region() -> None:
    agree(*resized({}, {"sizes": [2, 3, 7, 9]}, mode="linear", extrapolation_value=7.5))


@pytest.mark.parametrize(("shape", "count"), [((2, 5), 3), ((2, 3, 5), 1), ((2, 3, 5, 4), 1)])
def test_one_op_where_batch_and_channels_stay(shape: tuple[int, ...], count: int) -> None:
    """Of two axes both are spatial ones, for which others are put in front."""
    stored = {"sizes": np.array([*shape[:-1], 8])}
    proto = model([node("Resize", "x _ _ sizes", "y", mode="linear")], [("x", FLOAT, shape)], ["y"], stored)
    taken = load(proto)
    assert op_names(taken).count("resize") == 1 and len(op_names(taken)) == count
    agree(proto, {"x": floats(*shape)}, taken)


# -- grids ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sizes", [(1, 5), (5, 1), (3, 4), (2, 3, 4), (2, 1, 4)])
@pytest.mark.parametrize("align", [0, 1])
def test_affine_grids(sizes: tuple[int, ...], align: int) -> None:
    theta = floats(2, len(sizes), len(sizes) + 1)
    made = node("AffineGrid", "t s", "y", align_corners=align)
    proto = model([made], [("t", FLOAT, theta.shape)], ["y"], {"s": np.array([2, 3, *sizes])}, opset=20)
    if align and 1 in sizes:
        with pytest.raises(ConversionError, match=r"a grid of .* with align_corners=1 has no steps"):
            load(proto)
    else:
        as_reference(proto, {"t": theta})


@pytest.mark.parametrize("align", [0, 1])
def test_affine_grids_have_two_or_three_axes(align: int) -> None:
    for sizes in ((4,), (2, 3, 4, 5)):
        made = node("AffineGrid", "t s", "y", align_corners=align)
        declared = [("t", FLOAT, (2, len(sizes), len(sizes) + 1))]
        with pytest.raises(ConversionError, match="not 2 or 3 axes"):
            load(model([made], declared, ["y"], {"s": np.array([2, 3, *sizes])}, opset=20))


def grid_of(image: Any, places: Any, mode: str) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Elements of an image of one row, at places along it, with each operand's own type."""
    x, at = np.asarray(image).reshape(1, 1, 1, -1), np.asarray(places)
    grid = np.stack([at, np.zeros_like(at)], axis=-1).reshape(1, 1, -1, 2)
    codes = [onnx.helper.np_dtype_to_tensor_dtype(v.dtype) for v in (x, grid)]
    declared = [("x", codes[0], x.shape), ("g", codes[1], grid.shape)]
    result = f"y@{onnx.TensorProto.DataType.Name(codes[0])}"
    made = node("GridSample", "x g", "y", mode=mode, align_corners=1)
    return model([made], declared, [result], opset=20), {"x": x, "g": grid}


BF16 = onnx.helper.tensor_dtype_to_np_dtype(onnx.TensorProto.BFLOAT16)
IMAGES: list[tuple[Any, list[float]]] = [
    (np.bool_, [0, 1, 1]), (np.uint8, [3, 255, 7]), (np.int16, [-(2**15), 2**15 - 1, 4097]),
    (np.int32, [2**31 - 1, -(2**31) + 1, 2**24 + 1]), (np.uint32, [2**32 - 1, 0, 2**24 + 1]),
    (np.float16, [0.1, 1 + 2**-10, 60000]), (BF16, [0.1, 1e38, -3e-39]), (np.float32, [0.1, 1e38, -3e-39]),
    (np.float64, [1 / 3, 1e300, 1 + 2**-50]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "values"), IMAGES, ids=[np.dtype(k).name for k, _ in IMAGES])
@pytest.mark.parametrize("places", [np.float16, BF16, np.float32, np.float64], ids=lambda k: np.dtype(k).name)
def test_elements_and_places_of_different_types(kind: Any, values: list[float], places: Any) -> None:
    """Elements that are only picked stay what they are, and a place as close to the middle as its type tells is told."""
    image = np.array(values).astype(kind)
    tiny = float({np.float16: 2**-9, BF16: 2**-6, np.float32: 2**-22, np.float64: 2**-50}[places])
    if np.dtype(kind) in (np.float16, BF16) and kind is places:
        tiny = 0.1  # computed in the type itself
    proto, inputs = grid_of(
        image, np.array([-1, -0.5 - tiny, -0.5 + tiny, 0.5 - tiny, 0.5 + tiny, 1], places), "nearest"
    )
    (found,) = Evaluator("exact").run(load(proto), inputs).values()
    assert found.dtype == image.dtype
    np.testing.assert_array_equal(found.reshape(-1), image[[0, 0, 1, 1, 2, 2]])


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64, np.bool_])
def test_elements_that_would_be_rounded_are_refused(kind: Any) -> None:
    for mode in ("linear", "cubic", *(["nearest"] if kind is np.int64 else [])):
        with pytest.raises(ConversionError) as error:
            load(grid_of(np.array([1, 0, 1], kind), np.float32([0.0]), mode)[0])
        (why,) = error.value.unsupported
        assert f"would be rounded in mode {mode}" in why.reason and "floats" in why.advice
