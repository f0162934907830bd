"""Cases of slices: every mask, negative and far bounds, bounds of the run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tests.importers.tensorflow.harness import Case, array, fixed

MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")


def _strided(
    name: str, x: np.ndarray, begin: Sequence[int], end: Sequence[int], strides: Sequence[int],
    masks: Sequence[int] = (0, 0, 0, 0, 0), held: bool = False, **settings: Any,
) -> Case:  # fmt: skip
    bounds = [np.array(v, np.int32) if held else fixed(np.array(v, int)) for v in (begin, end)]
    operands = {"input": x, "begin": bounds[0], "end": bounds[1], "strides": fixed(np.array(strides, int))}
    attrs = {f"{n}_mask": m for n, m in zip(MASKS, masks, strict=True)}
    return Case("StridedSlice", f"{name} {list(masks)}{' run time' if held else ''}", operands, attrs, **settings)


def strided() -> Iterator[Case]:
    x = array(3, 4, 5)
    for k, masks in enumerate(itertools.product((0, 1, 2), (0, 2), (0, 1, 2), (0, 1, 2), (0, 1, 2, 3))):
        for held in (False, True) if k % 5 == 0 else (False,):  # two places: every mask on each of them
            yield _strided("two places", x, [1, -3], [3, -1], [1, 1], masks, held, open=())
    for kind in ("float32", "int64", "bool", "complex64", "bfloat16"):
        y = array(3, 4, dtype=kind)
        yield _strided(kind, y, [0, 1], [3, 3], [1, 1], sizes=(0, 1, 5))
        yield _strided(f"{kind} last", y, [-1], [0], [1], (0, 0, 0, 0, 1), sizes=(1, 5))
    ends = (-9, -4, -1, 0, 2, 9)
    for start, stop, step in itertools.product(ends, ends, (1, 2, -1, -3)):
        for held in (False, True) if step in (1, -3) else (False,):
            yield _strided(f"{start}:{stop}:{step}", array(4), [start], [stop], [step], held=held, open=())
    for step, (begin, end) in itertools.product((2, -2), ((0, 1), (1, 0), (1, 1))):
        yield _strided(f"open, {step}", x, [1], [-1], [step], (begin, end, 0, 0, 0), sizes=(0, 1, 6))
        yield _strided(f"open, {step}", x, [1], [2], [step], (begin, end, 0, 0, 0), True, open=())
    wide = array(2, 3, 1, 4)
    yield _strided("dots amid", wide, [1, 0, 0, -1], [2, 0, 0, 0], [1, 1, 1, 1], (0, 0, 2, 4, 9))
    yield _strided("dots last", wide, [0, 1, 0], [1, 3, 0], [1, 1, 1], (0, 0, 4, 0, 1))
    yield _strided("dots first", wide, [0, 0, 1], [0, 0, 3], [1, 1, 2], (0, 0, 1, 2, 0))
    yield _strided("nothing", wide, [], [], [])
    yield _strided("number", np.array(3.0), [0], [0], [1], (0, 0, 0, 1, 0), open=())
    yield _strided("index too far", x, [3], [4], [1], (0, 0, 0, 0, 1), True, raises=True, open=())
    yield _strided("index too far below", x, [-4], [0], [1], (0, 0, 0, 0, 1), True, raises=True, open=())


def slices() -> Iterator[Case]:
    for kind in ("float32", "int32", "bool", "complex64"):
        x = array(3, 4, dtype=kind)
        for begin, size in (([0, 1], [-1, 2]), ([0, 0], [-1, -1]), ([0, 4], [-1, -1]), ([0, 2], [-1, 0])):
            yield Case(
                "Slice",
                f"{kind} {begin} {size}",
                {"input": x, "begin": fixed(begin), "size": fixed(size)},
                sizes=(1, 5),
            )
        yield Case("Slice", f"{kind} rows", {"input": x, "begin": fixed([1, 0]), "size": fixed([2, 4])}, sizes=(4,))
        held = {"input": x, "begin": np.array([1, 0]), "size": fixed([2, 3], "int64")}
        yield Case("Slice", f"{kind} begin", held, open=())
        yield Case("Slice", f"{kind} rest", {**held, "size": fixed([-1, -1], "int64")}, open=())
        held = {"input": x, "begin": np.array([1, 0]), "size": np.array([0, 3])}
        yield Case("Slice", f"{kind} both", held, open=())
    x = array(3, 4)
    for begin, size in (([2, 0], [2, 1]), ([-1, 0], [1, 1])):
        held = {"input": x, "begin": np.array(begin), "size": np.array(size)}
        yield Case("Slice", f"outside {begin}", held, open=(), raises=True)
        held["size"] = fixed(size, "int64")
        yield Case("Slice", f"outside {begin}, size known", held, open=(), raises=True)


def updates() -> Iterator[Case]:
    x = array(3, 4, 5)
    for begin, end, strides, masks, shape in (
        ([1, 0], [3, 2], [1, 1], (0, 0, 0, 0, 0), (2, 2, 5)),
        ([1, 0], [3, 2], [1, 1], (0, 0, 0, 0, 0), (2, 1)),
        ([1, 3], [2, 0], [1, -2], (0, 0, 0, 0, 1), (2, 5)),
        ([0, -1], [0, 0], [1, 1], (0, 0, 1, 0, 2), (3, 4)),
        ([0, 0], [0, 2], [1, 1], (0, 0, 0, 1, 0), (1, 2, 4, 5)),
        ([0, 0], [0, 2], [1, 1], (3, 3, 0, 0, 0), ()),
    ):
        bounds = {n: fixed(v) for n, v in (("begin", begin), ("end", end), ("strides", strides))}
        attrs = {f"{n}_mask": m for n, m in zip(MASKS, masks, strict=True)}
        operands = {"input": x, **bounds, "value": np.asarray(array(*shape, seed=3))}
        yield Case("TensorStridedSliceUpdate", f"{begin} {masks} {shape}", operands, attrs, open=())


TABLES = {"strided": strided, "slices": slices, "updates": updates}
