"""Filters of images as matrices, [size before, size after] along one axis: what each element counts for each new one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ir.core import Builder, Value

Kernel = Callable[[np.ndarray], np.ndarray]


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - np.abs(x))


def keys(x: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys' cubic convolution at distances x >= 0."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x >= 2, 0, np.where(x >= 1, far, near))


def _mitchell(x: np.ndarray) -> np.ndarray:
    near = ((7.0 / 6 * x - 2) * x) * x + 8.0 / 9
    far = ((-7.0 / 18 * x + 2) * x - 10.0 / 3) * x + 16.0 / 9
    return np.where(x >= 2, 0, np.where(x >= 1, far, near))


def _lanczos(radius: int) -> Kernel:
    def kernel(x: np.ndarray) -> np.ndarray:
        y = radius * np.sin(np.pi * x) * np.sin(np.pi * x / radius)
        out = np.where(x > 1e-3, y / np.where(x != 0, np.pi**2 * x**2, 1), 1)
        return np.where(x > radius, 0, out)

    return kernel


def _gaussian(x: np.ndarray) -> np.ndarray:
    """Of radius 1.5, which is three deviations."""
    return np.where(x >= 1.5, 0, np.exp(-x * x / (2 * 0.5 * 0.5)))


def _box(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0.5, 1.0, np.where(x == 0.5, 0.5, 0.0))


KERNELS: dict[str, tuple[Kernel, float]] = {
    "triangle": (_triangle, 1), "keyscubic": (keys, 2), "mitchellcubic": (_mitchell, 2), "gaussian": (_gaussian, 1.5),
    "box": (_box, 1), "lanczos1": (_lanczos(1), 1), "lanczos3": (_lanczos(3), 3), "lanczos5": (_lanczos(5), 5),
}  # fmt: skip
"""Kernels by TensorFlow's names, with how far they reach; of distances that are not negative."""


def weights(have: int, want: int, scale: Any, shift: Any, kernel: Kernel, antialias: bool) -> np.ndarray:
    """A kernel around the places of the new elements, widened by `antialias` where they are further apart."""
    back = 1 / scale
    wide = max(back, 1.0) if antialias else 1.0
    at = (np.arange(want) + 0.5) * back - shift * back - 0.5
    matrix = kernel(np.abs(at[None, :] - np.arange(have)[:, None]) / wide)
    total = matrix.sum(0, keepdims=True)
    matrix = np.where(np.abs(total) > 1000 * np.finfo(np.float32).eps, matrix / np.where(total != 0, total, 1), 0)
    return np.where(((at >= -0.5) & (at <= have - 0.5))[None, :], matrix, 0)


def spans(
    have: int, want: int, scale: np.float32, shift: np.float32, kernel: Kernel, radius: float, antialias: bool
) -> np.ndarray:
    """As `weights`, with TensorFlow's places and bounds, which it computes in float32."""
    one, half = np.float32(1), np.float32(0.5)
    back = one / scale
    wide = max(back, one) if antialias else one
    at = (np.arange(want, dtype=np.float32) + half) * back + -back * shift
    reach = np.float32(radius) * wide
    first, last = np.ceil(at - reach - half), np.floor(at + reach - half)
    place = np.arange(have, dtype=np.float32)[:, None]
    matrix = kernel(np.abs((place + half - at[None, :]) * (one / wide)).astype(np.float64))
    matrix = np.where((place >= first) & (place <= last) & (at >= 0) & (at <= have), matrix, 0)
    total = matrix.sum(0, keepdims=True)
    return np.where(np.abs(total) >= 1000 * np.finfo(np.float32).tiny, matrix / np.where(total != 0, total, 1), 0)


def overlaps(have: int, want: int, corners: bool) -> np.ndarray:
    """TensorFlow's shares of old elements in new ones as wide as their distance, in float32; the edge repeats."""
    width = step(have, want, corners)
    matrix = np.zeros((have, want))
    for i in range(want):
        low, high = np.float32(i) * width, np.float32(i + 1) * width
        for at in range(int(np.floor(low)), int(np.ceil(high))):
            covered = min(np.float32(at + 1), high) - max(np.float32(at), low)
            matrix[min(max(at, 0), have - 1), i] += covered / width
    return matrix


def step(have: int, want: int, corners: bool) -> np.float32:
    """TensorFlow's distance of new elements in old ones, in float32."""
    if corners and want > 1:
        return np.float32(have - 1) / np.float32(want - 1)
    return np.float32(have) / np.float32(want)


def tabled(have: int, want: int, corners: bool = False, half_pixel: bool = True) -> np.ndarray:
    """TensorFlow's bicubic weights, the kernel at multiples of 1/1024.

    With `half_pixel` Keys' of parameter -0.5, and nothing from beyond the edge; else of -0.75, and the edge repeats.
    """
    half = np.float32(0.5 if half_pixel else 0)
    place = (np.arange(want, dtype=np.float32) + half) * step(have, want, corners) - half
    low = np.floor(place)
    near = np.rint((place - low) * np.float32(1024)) / 1024
    matrix = np.zeros((have, want))
    for offset in (-1, 0, 1, 2):
        at = low.astype(int) + offset
        weight = keys(np.abs(near - offset), -0.5 if half_pixel else -0.75)
        inside = (at >= 0) & (at < have) if half_pixel else np.ones(want, bool)
        np.add.at(matrix, (np.clip(at, 0, have - 1)[inside], np.flatnonzero(inside)), weight[inside])
    return matrix / matrix.sum(0, keepdims=True) if half_pixel else matrix


def shares(have: int, want: int) -> np.ndarray:
    """The part of each element that lies under each of `want` equal pieces."""
    edge = np.arange(want + 1) * have / want
    low, high = np.arange(have)[:, None], np.arange(1, have + 1)[:, None]
    covered = np.clip(np.minimum(high, edge[None, 1:]) - np.maximum(low, edge[None, :-1]), 0, None)
    return covered * want / have


def along(b: Builder, value: Value, axis: int, matrix: Value) -> Value:
    """The product of one axis with a matrix [size before, size after]."""
    letters = "abcdefgh"[: value.type.rank]
    out = letters.replace(letters[axis], "z")
    result: Value = b.einsum([value, matrix], equation=f"{letters},{letters[axis]}z->{out}")
    return result
