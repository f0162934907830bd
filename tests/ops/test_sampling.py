"""Reading grids against PyTorch: every mode, padding and alignment, inside the grid, on its edges and far beyond them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ir.ops import get
from ir.types import dtypes, symbol, tensor_type
from tests.ops.nn_samples import close
from tests.ops.test_refusals import inferred, of

MODES = {"linear": "bilinear", "nearest": "nearest", "cubic": "bicubic"}
PADDINGS = ("zeros", "border", "reflection")
N = symbol("n")


def read(x: np.ndarray, grid: np.ndarray, **attrs: Any) -> np.ndarray:
    """What the op gives."""
    op = get("grid_sample")
    return op.evaluate(x, grid, **op.complete(attrs))


def coordinates(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Some inside, some on multiples of a quarter, whose halves and edges are exact, some far outside."""
    inside, far = rng.uniform(-1, 1, shape), rng.uniform(-7, 7, shape)
    return np.concatenate([inside, rng.integers(-8, 9, shape) / 4, far], axis=1)


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", MODES)
def test_planes_are_those_of_torch(mode: str, padding: str, align: bool) -> None:
    rng = np.random.default_rng(0)
    for shape in ((2, 3, 4, 5), (1, 2, 1, 2), (2, 1, 7, 1), (1, 2, 2, 3)):
        x, grid = rng.standard_normal(shape), coordinates(rng, shape[0], 4, 9, 2)
        t = (torch.from_numpy(x), torch.from_numpy(grid))
        want = F.grid_sample(*t, mode=MODES[mode], padding_mode=padding, align_corners=align).numpy()
        close(read(x, grid, mode=mode, padding=padding, align_corners=align), want, where=shape)


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_volumes_are_those_of_torch(mode: str, padding: str, align: bool) -> None:
    rng = np.random.default_rng(1)
    x, grid = rng.standard_normal((2, 3, 4, 1, 5)), coordinates(rng, 2, 3, 2, 5, 3)
    t = (torch.from_numpy(x), torch.from_numpy(grid))
    want = F.grid_sample(*t, mode=MODES[mode], padding_mode=padding, align_corners=align).numpy()
    close(read(x, grid, mode=mode, padding=padding, align_corners=align), want)


def test_lines_are_planes_of_height_one() -> None:
    rng = np.random.default_rng(2)
    for mode, padding, align in itertools.product(MODES, PADDINGS, (False, True)):
        attrs = {"mode": mode, "padding": padding, "align_corners": align}
        x, grid = rng.standard_normal((2, 3, 5)), coordinates(rng, 2, 7, 1)
        flat = np.stack([grid, np.zeros_like(grid)], -1)[:, None, :, 0]
        close(read(x, grid, **attrs), read(x[:, :, None], flat, **attrs)[:, :, 0], where=attrs)


@pytest.mark.parametrize("kind", [dtypes.float16, dtypes.bfloat16])
def test_halves_are_read_in_float32(kind: Any) -> None:
    rng = np.random.default_rng(3)
    x, grid = rng.standard_normal((1, 2, 9, 8)).astype(kind.numpy), coordinates(rng, 1, 4, 9, 2).astype(kind.numpy)
    wide = read(x.astype(np.float32), grid.astype(np.float32), padding="border")
    got = read(x, grid, padding="border")
    assert got.dtype == kind.numpy
    np.testing.assert_array_equal(got.astype(np.float32), wide.astype(kind.numpy).astype(np.float32))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", MODES)
def test_infinities_are_those_of_torch(mode: str, padding: str) -> None:
    """An element inside counts at a weight of 0, one outside does not: the first is where positions outside are read from."""
    grid = np.array([[9, 0], [-9, 5], [-1, -1], [-0.5, 0], [0, 1], [0.5, 0], [1, 0], [1, -1]], np.float64)[None, None]
    for place in range(5):
        x = np.where(np.arange(5) == place, np.inf, np.arange(15.0).reshape(3, 5))[None, None]
        t = (torch.from_numpy(x), torch.from_numpy(grid))
        want = F.grid_sample(*t, mode=MODES[mode], padding_mode=padding, align_corners=True).numpy()
        with np.errstate(invalid="ignore"):
            got = read(x, grid, mode=mode, padding=padding, align_corners=True)
        close(got, want, where=place)


@pytest.mark.parametrize(
    ("x", "grid", "words"),
    [
        (of(2, 3), of(2, 0), "does not fit"),
        (of(2, 3, 4), of(2, 5, 2), "does not fit"),
        (of(2, 3, 4, 5), of(2, 5, 2), "does not fit"),
        (of(2, 3, 4, 5), of(2, 5, 6, N), "does not fit"),
        (of(2, 3, 4, 5), of(3, 5, 6, 2), "batches of 2 and 3"),
        (of(2, 3, 0, 5), of(2, 5, 6, 2), "nothing to read"),
        (of(2, 3, 4, 0), of(2, 5, 6, 2), "nothing to read"),
        (of(2, 3, 4, 5), tensor_type("float64", 2, 5, 6, 2), "float"),
    ],
)
def test_refused(x: Any, grid: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        inferred("grid_sample", {}, x, grid)


def test_accepted() -> None:
    assert inferred("grid_sample", {}, of(2, 3, 4), of(2, 5, 1)) == "float32[2, 3, 5]"
    assert inferred("grid_sample", {}, of(0, 3, 1, N), of(0, 5, 6, 2)) == "float32[0, 3, 5, 6]"
    assert inferred("grid_sample", {}, of(N, 0, 4, 5), of(2, N, 6, 2)) == "float32[n, 0, n, 6]"
