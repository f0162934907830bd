"""Comparison as the suite itself does it: shape and element type exact, numbers at the case's tolerance."""

from __future__ import annotations

import numpy as np

NEAR = {"bfloat16": 2.0**-6, "float16": 2.0**-9}
"""Least rtol of half floats: two units in the last place. The suite has this rule for bfloat16 itself."""


def difference(got: np.ndarray, want: np.ndarray, rtol: float, atol: float) -> str:
    """In words, how two arrays differ; empty when they agree. NaN equals NaN; integers and booleans are exact."""
    if got.shape != want.shape:
        return f"shape {got.shape} instead of {want.shape}"
    if got.dtype != want.dtype:
        return f"dtype {got.dtype} instead of {want.dtype}"
    rtol = max(rtol, NEAR.get(want.dtype.name, 0.0))
    if want.dtype.kind in "biu":
        far = got != want
    elif want.dtype.kind == "c":
        far = ~np.isclose(got, want, rtol=rtol, atol=atol, equal_nan=True)
    elif want.dtype.name in ("int4", "uint4", "int2", "uint2"):
        far = got.astype(np.int64) != want.astype(np.int64)
    else:
        wide = np.float64
        far = ~np.isclose(got.astype(wide), want.astype(wide), rtol=rtol, atol=atol, equal_nan=True)
    if not far.any():
        return ""
    return f"{int(far.sum())} of {far.size} differ: {got[far][:3]} instead of {want[far][:3]}"
