"""Reading a grid of values at coordinates that the run computes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal

import numpy as np

from ir.ops.registry import op
from ir.ops.resize import cubic_kernel
from ir.ops.sampler import Sample, Sampler
from ir.types import TensorType, same

Mode = Literal["linear", "nearest", "cubic"]
Beyond = Literal["zeros", "border", "reflection"]
CUBIC = -0.75
Tap = tuple[np.ndarray, np.ndarray, np.ndarray]


@op
class GridSample:
    """x [batch, channels, *spatial] at the coordinates of `grid` [batch, *output, spatial axes], innermost axis first
    (torch.nn.functional.grid_sample; ONNX GridSample).

    Coordinates run from -1 to 1: over the centres of the first and last element with `align_corners`, over their outer
    edges without. `linear` weighs the 2 nearest elements of each axis, `cubic` 4 with Keys' kernel (a = -0.75), `nearest`
    takes one, halves to even. Beyond the edge lie zeros, the edge's element (`border`), or the mirrored grid. An element
    inside counts at a weight of 0, too: an infinity is no number then. NaN coordinates are not defined.
    """

    inputs = ("x: float", "grid: x")
    mode: Mode = "linear"
    padding: Beyond = "zeros"
    align_corners: bool = False

    @staticmethod
    def infer(x: TensorType, grid: TensorType, mode: Mode, padding: Beyond, align_corners: bool) -> TensorType:
        spatial = x.rank - 2
        if spatial < 1 or grid.rank != x.rank or same(grid.shape[-1], spatial) is not True:
            raise ValueError(f"grid_sample: a grid {grid} does not fit {x}")
        if same(x.shape[0], grid.shape[0]) is False:
            raise ValueError(f"grid_sample: batches of {x.shape[0]} and {grid.shape[0]}")
        if any(d == 0 for d in x.shape[2:]):
            raise ValueError(f"grid_sample: there is nothing to read in {x}")
        return x.with_shape((x.shape[0], x.shape[1], *grid.shape[1:-1]))

    @staticmethod
    def evaluate(x: np.ndarray, grid: np.ndarray, mode: Mode, padding: Beyond, align_corners: bool) -> np.ndarray:
        wide = np.result_type(x.dtype, np.float32) if x.dtype.kind == "f" else np.float32
        taps = [
            _taps(grid[..., -1 - axis].astype(wide), n, mode, padding, align_corners)
            for axis, n in enumerate(x.shape[2:])
        ]
        batch = np.arange(x.shape[0]).reshape(x.shape[0], *[1] * (grid.ndim - 2))
        channels_last = np.moveaxis(x, 1, -1).astype(wide)
        out = np.zeros((*grid.shape[:-1], x.shape[1]), wide)
        for chosen in itertools.product(*taps):
            weight, inside = np.ones(grid.shape[:-1], wide), np.ones(grid.shape[:-1], np.bool_)
            for _, w, ok in chosen:
                weight, inside = weight * w, inside & ok
            read = channels_last[(batch, *(i for i, _, _ in chosen))]
            out += np.where(inside[..., None], read, 0) * weight[..., None]
        return np.moveaxis(out, -1, 1).astype(x.dtype)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for mode, padding, align in itertools.product(
            ("linear", "nearest", "cubic"), ("zeros", "border", "reflection"), (False, True)
        ):
            yield s.case(
                s.floats(2, 3, 4, 5), s.floats(2, 3, 2, 2, low=-1.6, high=1.6),
                mode=mode, padding=padding, align_corners=align, dynamic=((0, 0), (1, 0)), rtol=1e-4,
            )  # fmt: skip
        for mode, padding in (("linear", "zeros"), ("nearest", "border"), ("linear", "reflection")):
            yield s.case(
                s.floats(1, 2, 3, 4, 2), s.floats(1, 2, 3, 2, 3, low=-1.4, high=1.4), mode=mode, padding=padding, rtol=1e-4
            )
        x = np.where(np.arange(5) == 2, np.inf, s.floats(1, 2, 3, 5)).astype(s.float_dtype.numpy)
        places = np.array([[[-1, -1], [-0.5, 0], [0, 1], [0.5, 0], [1, 1.5]]], x.dtype)[:, None]
        for mode in ("linear", "cubic"):
            yield s.case(x, places, mode=mode, align_corners=True, rtol=1e-4, name="infinities")
        yield s.case(s.floats(1, 2, 3, 4), s.floats(1, 0, 2, 2), name="empty")
        yield s.case(s.floats(1, 2, 3, 4), s.floats(1, 2, 2, 3), error=ValueError, name="wrong grid")


def _taps(
    at: np.ndarray, size: int, mode: Mode, padding: Beyond, align_corners: bool
) -> list[Tap]:
    """Positions and weights of the elements of one axis that coordinates read, and which of them there are."""
    at = (at + 1) / 2 * (size - 1) if align_corners else ((at + 1) * size - 1) / 2
    if mode != "cubic":
        at = _inside(at, size, padding, align_corners)
    if mode == "nearest":
        return [_bounded(np.rint(at), np.ones_like(at), size)]
    low = np.floor(at)
    fraction = at - low
    if mode == "linear":
        return [_bounded(low, 1 - fraction, size), _bounded(low + 1, fraction, size)]
    found = []
    for step in range(-1, 3):
        weight = cubic_kernel(fraction - step, CUBIC).astype(at.dtype)
        found.append(_bounded(_inside(low + step, size, padding, align_corners), weight, size))
    return found


def _inside(at: np.ndarray, size: int, padding: Beyond, align_corners: bool) -> np.ndarray:
    """Coordinates brought inside the axis, unless zeros lie beyond it."""
    if padding == "zeros":
        return at
    if padding == "reflection":
        low, span = (0.0, size - 1.0) if align_corners else (-0.5, float(size))
        if span == 0:
            return np.zeros_like(at)
        turn = np.abs(at - low) % (2 * span)
        at = low + np.minimum(turn, 2 * span - turn)
    return np.clip(at, 0, size - 1)


def _bounded(at: np.ndarray, weight: np.ndarray, size: int) -> Tap:
    """Positions safe to read, their weights, and which lie inside."""
    inside = (at >= 0) & (at <= size - 1)
    return np.where(inside, at, 0).astype(np.int64), weight, inside
