"""Convolutions: what causal padding means, and how much memory evaluation takes."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from ir.ops import conv, get

SETTINGS = {"groups": 1, "layout": "channels_first"}


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("window", [1, 2, 3])
def test_causal_padding(window: int, stride: int, dilation: int) -> None:
    """The last element of the window meets the place itself, the one before that `dilation` places back, zeros before the
    first."""
    x = np.arange(1.0, 8.0).reshape(1, 1, 7)
    for k in range(window):
        weight = np.zeros((1, 1, window))
        weight[0, 0, window - 1 - k] = 1
        attrs = {"strides": (stride,), "dilations": (dilation,), "padding": "causal", **SETTINGS}
        delayed = np.concatenate([np.zeros(k * dilation), x[0, 0]])[:7]
        out = get("conv").evaluate(x=x, weight=weight, bias=None, **attrs)
        np.testing.assert_array_equal(out[0, 0], delayed[::stride])


def peak(x: np.ndarray, weight: np.ndarray, groups: int) -> tuple[np.ndarray, int]:
    """The result of a 1-D convolution and the most bytes held while computing it."""
    attrs: dict[str, Any] = {"strides": (1,), "dilations": (1,), "padding": "valid", **SETTINGS, "groups": groups}
    tracemalloc.start()
    try:
        return get("conv").evaluate(x=x, weight=weight, bias=None, **attrs), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


POINTS = 4000


@pytest.mark.parametrize(("batch", "channels", "groups"), [(1, 8, 1), (4, 8, 4), (1, 8, 8), (8, 1, 1), (5, 6, 2)])
def test_columns_take_no_more_than_their_share(monkeypatch: Any, batch: int, channels: int, groups: int) -> None:
    """A window of eight elements is met in as many blocks as it takes."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((batch, channels, POINTS + 7))
    weight = rng.standard_normal((groups, channels // groups, 8))
    whole, _ = peak(x, weight, groups)
    one = batch * channels * POINTS * 8
    result = batch * groups * POINTS * 8
    for elements in (0.5, 1, 3):
        monkeypatch.setattr(conv, "_COLUMN_BYTES", int(one * elements))
        out, held = peak(x, weight, groups)
        np.testing.assert_allclose(out, whole, rtol=1e-10, atol=1e-12)
        assert held < (max(elements, 1) + 0.4) * one + 2 * result


def test_blocks_are_added_in_place(monkeypatch: Any) -> None:
    rng = np.random.default_rng(1)
    x, weight = rng.standard_normal((1, 1, POINTS + 7)), rng.standard_normal((32, 1, 8))
    monkeypatch.setattr(conv, "_COLUMN_BYTES", 1)
    _, held = peak(x, weight, 1)
    assert held < 2.5 * 32 * POINTS * 8
