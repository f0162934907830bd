"""Images at another size."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from tests.importers.tensorflow.harness import Case, Table, array, fixed

IMAGE = array(2, 7, 5, 2)
SIZES = ((7, 9), (3, 2), (14, 10), (1, 13), (7, 5))
FORMS = ((False, False), (True, False), (False, True))


def cases() -> Iterator[Case]:
    for size, (corners, half) in itertools.product(SIZES, FORMS):
        attrs = {"align_corners": corners, "half_pixel_centers": half}
        name = f"{size} corners {corners} half {half}"
        for op in ("ResizeBilinear", "ResizeNearestNeighbor"):
            yield Case(op, name, {"images": IMAGE, "size": fixed(size)}, attrs, open=(0, 1, 2), sizes=(4, 9))
        yield Case("ResizeBicubic", name, {"images": IMAGE, "size": fixed(size)}, attrs)
    for size, corners in itertools.product(SIZES, (False, True)):
        yield Case(
            "ResizeArea", f"{size} {corners}", {"images": IMAGE, "size": fixed(size)}, {"align_corners": corners}
        )
    yield from _kinds()
    yield from _rounding()
    for kernel, antialias in itertools.product(
        ("lanczos1", "lanczos3", "lanczos5", "gaussian", "box", "triangle", "keyscubic", "mitchellcubic"), (False, True)
    ):
        attrs = {"kernel_type": kernel, "antialias": antialias}
        for size, scale, shift in (((4, 11), (0.6, 2.2), (0.0, 0.0)), ((6, 6), (1.3, 0.5), (1.5, -0.75))):
            moves = {"scale": fixed(scale, "float32"), "translation": fixed(shift, "float32")}
            yield Case("ScaleAndTranslate", f"{attrs} {size}", {"images": IMAGE, "size": fixed(size), **moves}, attrs)


def _kinds() -> Iterator[Case]:
    for kind in ("float64", "float16", "bfloat16", "uint8", "int32"):
        operands = {"images": array(1, 4, 3, 2, dtype=kind, high=9), "size": fixed((6, 5))}
        for op in ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeArea"):
            yield Case(op, kind, operands)
    run = {"images": IMAGE, "size": np.array((4, 9), "int32")}
    for op, attrs in itertools.product(("ResizeBilinear", "ResizeNearestNeighbor"), ({}, {"half_pixel_centers": True})):
        yield Case(op, f"a size at run time {attrs}", run, attrs, open=())
    yield Case("ResizeNearestNeighbor", "a size at run time, corners", run, {"align_corners": True}, open=())
    opened = {"images": IMAGE, "size": fixed((4, 4))}
    for op in ("ResizeBicubic", "ResizeArea"):
        yield Case(op, "a size at run time", run, open=(), refused="images of open size")
        yield Case(op, "none", {"images": IMAGE[:0], "size": fixed((4, 4))}, open=())
    yield Case("ResizeBilinear", "none", {**opened, "images": IMAGE[:0]}, open=())


def _rounding() -> Iterator[Case]:
    """Sizes at which float32 picks other neighbours than exact places do."""
    for have, want in ((2, 82), (14, 46), (10, 28), (61, 41), (57, 83)):
        line = {"images": array(1, have, 1, 1), "size": fixed((want, 1))}
        for corners, half in FORMS:
            attrs = {"align_corners": corners, "half_pixel_centers": half}
            yield Case("ResizeNearestNeighbor", f"{have} to {want} {attrs}", line, attrs, open=(0,))


TABLES: dict[str, Table] = {"all": cases}
