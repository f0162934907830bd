"""Pooling, and windows as vectors. Channels first is in test_definitions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from tests.importers.tensorflow.harness import Case, Table, array, fixed

IMAGE = array(2, 7, 6, 3)
VOLUME = array(2, 4, 6, 5, 2)


def cases() -> Iterator[Case]:
    opened = {"open": (0, 1, 2), "sizes": (5, 8)}
    for padding, (window, strides) in itertools.product(("SAME", "VALID"), (((3, 2), (2, 2)), ((2, 3), (1, 3)))):
        attrs = {"ksize": [1, *window, 1], "strides": [1, *strides, 1], "padding": padding}
        name = f"{padding} {window} {strides}"
        yield Case("MaxPool", name, {"input": IMAGE}, attrs, **opened)
        yield Case("AvgPool", name, {"value": IMAGE}, attrs, **opened)
        operands = {"input": IMAGE, "ksize": fixed([1, *window, 1]), "strides": fixed([1, *strides, 1])}
        yield Case("MaxPoolV2", name, operands, {"padding": padding}, **opened)
        for batch in (False, True):
            many = {"input": np.round(IMAGE)}
            yield Case(
                "MaxPoolWithArgmax", f"{name} {batch}", many, {**attrs, "include_batch_in_index": batch}, open=(0,)
            )
        volume = {"ksize": [1, 2, *window, 1], "strides": [1, 1, *strides, 1], "padding": padding}
        yield Case("MaxPool3D", name, {"input": VOLUME}, volume)
        yield Case("AvgPool3D", name, {"input": VOLUME}, volume)
    pads = {
        "ksize": [1, 2, 3, 1],
        "strides": [1, 2, 2, 1],
        "padding": "EXPLICIT",
        "explicit_paddings": [0, 0, 1, 1, 0, 2, 0, 0],
    }
    yield Case("MaxPool", "explicit", {"input": IMAGE}, pads)
    plain = {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "VALID"}
    yield Case("MaxPool", "integers", {"input": array(1, 4, 4, 2, dtype="int32")}, plain)
    yield Case("MaxPoolWithArgmax", "narrow", {"input": IMAGE}, {**plain, "Targmax": "int32"})
    depth = {"ksize": [1, 1, 1, 3], "strides": [1, 1, 1, 3], "padding": "VALID"}
    yield Case("MaxPool", "channels", {"input": IMAGE}, depth, refused="not 1 for batch and channels")
    for kind in ("float64", "float16", "bfloat16"):
        yield Case(
            "AvgPool", kind, {"value": array(1, 4, 4, 2, dtype=kind)}, plain, rtol=2e-2 if kind != "float64" else None
        )
    yield from _patches()


def _patches() -> Iterator[Case]:
    for padding, strides, rates in itertools.product(("SAME", "VALID"), ((1, 1), (2, 3)), ((1, 1), (2, 1))):
        attrs = {"ksizes": [1, 3, 2, 1], "strides": [1, *strides, 1], "rates": [1, *rates, 1], "padding": padding}
        name = f"{padding} {strides} {rates}"
        yield Case("ExtractImagePatches", name, {"images": IMAGE}, attrs, open=(0, 1, 2), sizes=(6, 9))
    whole = {"ksizes": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "rates": [1, 1, 1, 1], "padding": "SAME"}
    yield Case("ExtractImagePatches", "integers", {"images": array(1, 5, 4, 2, dtype="uint8")}, whole)
    for padding in ("SAME", "VALID"):
        attrs = {"ksizes": [1, 2, 3, 2, 1], "strides": [1, 1, 2, 2, 1], "padding": padding}
        yield Case("ExtractVolumePatches", padding, {"input": VOLUME}, attrs, open=(0, 1), sizes=(5,))


TABLES: dict[str, Table] = {"all": cases}
