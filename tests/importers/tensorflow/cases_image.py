"""Colours, pieces of images, and selection of boxes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from tests.importers.tensorflow.harness import Case, Table, array, fixed

COLOURS = np.array(
    [[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0.3, 0.3, 0.9], [2, 0.5, 1],
     [0.2, 0.2, 0.1], [0.5, 0.2, 0.5], [0.1, 0.7, 0.7]], "float32",
).reshape(1, 3, 4, 3)  # fmt: skip
IMAGE = array(2, 6, 5, 3, low=0, high=1)


def _colours() -> Iterator[Case]:
    for name, image in (("odd", COLOURS), ("any", IMAGE)):
        for op in ("RGBToHSV", "HSVToRGB"):
            yield Case(op, name, {"images": image}, open=(1,))
        for delta in (0.3, -0.45, 1.0):
            yield Case(
                "AdjustHue", f"{name} {delta}", {"images": image, "delta": np.array(delta, "float32")}, open=(1,)
            )
        for scale in (0.5, 1.5, -1.0):
            yield Case(
                "AdjustSaturation", f"{name} {scale}", {"images": image, "scale": np.array(scale, "float32")}, open=(1,)
            )
        factor = {"images": image, "contrast_factor": np.array(1.7, "float32")}
        yield Case("AdjustContrastv2", name, factor, open=(0, 1))
    half = array(1, 3, 4, 3, dtype="float16", low=0, high=1)
    for op, name in (("AdjustHue", "delta"), ("AdjustSaturation", "scale"), ("AdjustContrastv2", "contrast_factor")):
        yield Case(
            op, "half", {"images": half, name: fixed(0.25, "float32")}, refused="devices round in different places"
        )
    for op in ("RGBToHSV", "HSVToRGB"):
        yield Case(op, "double", {"images": array(2, 3, dtype="float64", low=0, high=1)})


def _pieces() -> Iterator[Case]:
    boxes = np.array(
        [[0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9], [-0.2, 0.3, 1.2, 0.8], [0.9, 0.8, 0.1, 0.1], [0.2, 0.2, 0.2, 0.2]],
        "float32",
    )
    owner = np.array([0, 1, 1, 0, 1], "int32")
    for method, size in itertools.product(("bilinear", "nearest"), ((3, 4), (1, 1), (1, 5))):
        operands = {"image": IMAGE, "boxes": boxes, "box_ind": owner, "crop_size": fixed(size)}
        attrs = {"method": method, "extrapolation_value": 0.25}
        yield Case("CropAndResize", f"{method} {size}", operands, attrs, open=(0, 1), sizes=(4,))
    plain = {"boxes": boxes, "box_ind": owner, "crop_size": fixed((2, 2))}
    yield Case("CropAndResize", "integers", {"image": array(2, 4, 4, 1, dtype="uint8", high=200), **plain})
    wrong = {"image": IMAGE, **plain, "box_ind": np.array([0, 1, 1, 0, 2], "int32")}
    yield Case("CropAndResize", "no such image", wrong, open=(), raises=True)
    yield Case("CropAndResize", "no box", {"image": IMAGE, **plain, "boxes": boxes[:0], "box_ind": owner[:0]}, open=())


def _boxes() -> Iterator[Case]:
    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 1, (30, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(-0.4, 0.4, (30, 2))], 1).astype("float32")
    scores = np.round(rng.uniform(0, 1, 30), 1).astype("float32")
    given = {"boxes": boxes, "scores": scores, "max_output_size": fixed(12)}
    numbers = {"iou_threshold": fixed(0.4, "float32"), "score_threshold": fixed(0.25, "float32")}
    yield Case("NonMaxSuppression", "plain", given, {"iou_threshold": 0.4})
    yield Case("NonMaxSuppressionV2", "plain", {**given, "iou_threshold": numbers["iou_threshold"]}, sizes=(7,))
    yield Case("NonMaxSuppressionV3", "plain", {**given, **numbers})
    run = {n: np.array(v.array) for n, v in {"max_output_size": fixed(5), **numbers}.items()}
    yield Case("NonMaxSuppressionV3", "numbers at run time", {**given, **run})
    for padded in (False, True):
        yield Case("NonMaxSuppressionV4", f"padded {padded}", {**given, **numbers}, {"pad_to_max_output_size": padded})
        hard = {**given, **numbers, "soft_nms_sigma": fixed(0.0, "float32")}
        yield Case("NonMaxSuppressionV5", f"padded {padded}", hard, {"pad_to_max_output_size": padded})
    edge = np.array([[0, 0, 1, 1], [0, 0, 1, 0.5], [2, 2, 2, 3], [2, 2, 2, 3], [0, 0, 1, 1]], "float32")
    ties = {"boxes": edge, "scores": np.array([1, 0.9, 0.8, 0.8, -np.inf], "float32"), "max_output_size": fixed(9)}
    yield Case("NonMaxSuppressionV2", "at the threshold", {**ties, "iou_threshold": fixed(0.5, "float32")}, open=())


def _soft_boxes() -> Iterator[Case]:
    rng = np.random.default_rng(5)
    corner = rng.uniform(0, 1, (20, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(-0.6, 0.6, (20, 2))], 1).astype("float32")
    boxes[7] = boxes[3]
    scores = np.round(rng.uniform(0, 1, 20), 1).astype("float32")
    for sigma, least, most, kind in (
        (0.5, 0.25, 12, "float32"), (0.1, 0.0, 30, "float32"), (2.0, -np.inf, 9, "float32"), (0.5, 0.3, 12, "float16"),
    ):  # fmt: skip
        name, padded = f"soft {sigma} {least} {kind}", most != 12
        given = {"boxes": boxes.astype(kind), "scores": (scores - 0.4 * (least < 0)).astype(kind)}
        numbers = {"iou_threshold": 0.4, "score_threshold": least, "soft_nms_sigma": sigma}
        held = {n: fixed(v, kind) for n, v in numbers.items()}
        operands = {**given, "max_output_size": fixed(most), **held}
        yield Case("NonMaxSuppressionV5", name, operands, {"pad_to_max_output_size": padded})
    few = {**given, "boxes": boxes[:0], "scores": scores[:0], "max_output_size": fixed(3)}
    none = {**few, **{n: fixed(v, "float32") for n, v in numbers.items()}}
    yield Case("NonMaxSuppressionV5", "soft, no box", none, {"pad_to_max_output_size": True}, open=())
    below = {**none, "soft_nms_sigma": fixed(-1.0, "float32")}
    yield Case("NonMaxSuppressionV5", "below 0", below, open=(), refused="soft_nms_sigma=-1.0")
    yield _half_boxes()
    overlaps = {"overlaps": rng.uniform(0, 1, (20, 20)).astype("float32"), "scores": scores}
    limits = {
        "max_output_size": fixed(6),
        "overlap_threshold": fixed(0.8, "float32"),
        "score_threshold": fixed(0.1, "float32"),
    }
    yield Case("NonMaxSuppressionWithOverlaps", "plain", {**overlaps, **limits})
    run = {n: v.array for n, v in limits.items()}
    yield Case("NonMaxSuppressionWithOverlaps", "numbers at run time", {**overlaps, **run})


def _half_boxes() -> Case:
    """Boxes of which two overlap by what is beyond the threshold in float16 alone; TensorFlow measures in float32."""
    rng = np.random.default_rng(5)
    corner = rng.uniform(0, 1, (60, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(-0.6, 0.6, (60, 2))], 1).astype("float16")
    given = {"boxes": boxes, "scores": rng.uniform(0, 1, 60).astype("float16"), "max_output_size": fixed(60)}
    ends = {"iou_threshold": fixed(0.2, "float16"), "score_threshold": fixed(0.0, "float16")}
    return Case("NonMaxSuppressionV3", "half", {**given, **ends})


def _all_boxes() -> Iterator[Case]:
    rng = np.random.default_rng(6)
    corner = rng.uniform(-0.3, 1, (2, 11, 3, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(-0.6, 0.8, (2, 11, 3, 2))], 3).astype("float32")
    scores = rng.permutation(66).reshape(2, 11, 3).astype("float32") / 66
    for sets, each, most, padded in itertools.product((1, 3), (2, 20), (5, 40), (False, True)):
        clipped = padded == (sets == 1)
        numbers = {"iou_threshold": fixed(0.3, "float32"), "score_threshold": fixed(0.2, "float32")}
        sizes = {"max_output_size_per_class": fixed(each), "max_total_size": fixed(most)}
        attrs = {"pad_per_class": padded, "clip_boxes": clipped}
        given = {"boxes": boxes[:, :, :sets], "scores": scores, **sizes, **numbers}
        yield Case("CombinedNonMaxSuppression", f"{sets} {each} {most} {attrs}", given, attrs, open=(0, 1))
    none = {**given, "boxes": boxes[:, :0], "scores": scores[:, :0]}
    yield Case("CombinedNonMaxSuppression", "no box", none, open=())
    told = ("boxes of exactly equal scores",)
    yield Case("CombinedNonMaxSuppression", "told", given, {"clip_boxes": False}, open=(), notes=told)


def _maps() -> Iterator[Case]:
    maps = np.array([[1.1, 0.1, -0.5, 0.05, 0.9, 0.3, 0.01, -0.02], [0, 1, 0, 1, 0, 0, 0, 0]], "float32")
    edge = np.array([[1, 0, 0, 0, 1, 0, -0.5, 0], [0.5, 0, -1.25, 0, 2, 0.5, 0, 0]], "float32")
    size = fixed((4, 7))
    for interpolation, mode in itertools.product(("NEAREST", "BILINEAR"), ("CONSTANT", "NEAREST")):
        attrs = {"interpolation": interpolation, "fill_mode": mode}
        for name, transforms in (("two", maps), ("one", maps[:1]), ("edges", edge)):
            given = {"images": IMAGE, "transforms": transforms, "output_shape": size}
            full = {**given, "fill_value": fixed(0.5, "float32")}
            yield Case(
                "ImageProjectiveTransformV3", f"{name} {attrs}", full, attrs, open=(1, 2) if name == "one" else ()
            )
            yield Case("ImageProjectiveTransformV2", f"{name} {attrs}", given, attrs, open=())
    plain = {"images": IMAGE, "transforms": maps, "output_shape": size, "fill_value": fixed(0.5, "float32")}
    whole = {**plain, "images": array(2, 6, 5, 3, dtype="uint8", high=200), "fill_value": fixed(3, "float32")}
    yield Case("ImageProjectiveTransformV3", "integers", whole, {"interpolation": "NEAREST"}, open=())
    yield Case(
        "ImageProjectiveTransformV3",
        "between integers",
        whole,
        {"interpolation": "BILINEAR"},
        open=(),
        refused="images of uint8",
    )
    for mode in ("REFLECT", "WRAP"):
        attrs = {"interpolation": "NEAREST", "fill_mode": mode}
        yield Case("ImageProjectiveTransformV3", mode, plain, attrs, open=(), refused=f"fill_mode='{mode}'")


TABLES: dict[str, Table] = {
    "colours": _colours, "pieces": _pieces, "boxes": _boxes, "soft_boxes": _soft_boxes, "all_boxes": _all_boxes, "maps": _maps,
}  # fmt: skip
