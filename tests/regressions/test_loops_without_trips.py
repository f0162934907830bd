"""Loops whose condition is false at once."""

from __future__ import annotations

import numpy as np
import pytest

from tests.regressions.test_compositions import PI, through


@pytest.mark.parametrize("start", [0, -2])
@pytest.mark.parametrize("rows", [0, 3])
def test_what_no_trip_stacked_has_the_sizes_of_a_trip(start: int, rows: int) -> None:
    """ONNX Runtime makes every size 0 that it does not know before the loop runs: those of inputs, those that change."""
    text = """signature (i, x, w) -> (output.0, output.1)

graph (i: int64[], x: float32[n, 2], w: float32[3, 2]):
  (k: int64[], v: float32[?r, 2], y: float32[?t, n, 2], z: float32[?t, ?q, 2]) = while([i, w], [x]; symbols=("r", "t", "q"))
    cond(i: int64[], v: float32[rows, 2], x: float32[n, 2]):
      zero: int64[] = constant(; value=tensor(int64[], 0))
      going: bool[] = less(i, zero)
      return going
    body(i: int64[], v: float32[rows, 2], x: float32[n, 2]):
      one: int64[] = constant(; value=tensor(int64[], 1))
      j: int64[] = add(i, one)
      y: float32[n, 2] = neg(x)
      z: float32[rows, 2] = tanh(v)
      return j, v, y, z
  (y, z)
"""
    through(
        text.replace("  (y, z)", "  return y, z"),
        seeds=(7, 1, 6), i=start, x=np.resize(PI, (rows, 2)), w=PI[:6].reshape(3, 2),
    )  # fmt: skip
