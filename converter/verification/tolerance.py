"""When an error is noise: the floor is measured on the source framework, never chosen to fit.

See docs/decisions.md for how the constants were measured.
"""

from __future__ import annotations

import ml_dtypes

from ir.types import DType, dtypes

FLOOR_ULPS = {"half": 2.0, "single": 4.0}
"""The floor is at least this many eps(dtype) * scale."""

MARGIN = 4.0
"""A converted model may be this many floors away: source and target round in different orders."""

IMPORT_MARGIN = 4.0
"""The source may be this many times further from the reference than the evaluator in the declared dtypes is; beyond
that the import is wrong, not the rounding."""

INCONCLUSIVE = {"half": 0.10, "single": 0.01}
"""A floor above this share of the scale proves nothing."""


def floor_of(dtype: DType, source_error: float, scale: float) -> float:
    """The noise floor of an output: absolute, from the largest source error and `scale` = max |reference|."""
    return max(source_error, _least(dtype, scale))


def import_bound(dtype: DType, exact_error: float, scale: float) -> float:
    """How far the source may be from the reference before its import must be wrong."""
    return IMPORT_MARGIN * max(exact_error, _least(dtype, scale))


def inconclusive_share(dtype: DType) -> float:
    """The share of the scale above which a floor proves nothing."""
    return INCONCLUSIVE["half" if dtype.is_half else "single"]


def _least(dtype: DType, scale: float) -> float:
    return FLOOR_ULPS["half" if dtype.is_half else "single"] * max(dtype.eps * scale, _step_at_zero(dtype))


def _step_at_zero(dtype: DType) -> float:
    """The distance between neighbours at 0: TensorFlow and others take what is below the normal numbers for 0, except in types
    of few bits, whose small numbers are in daily use."""
    limits = ml_dtypes.finfo(dtype.numpy)
    narrow = dtype.bits <= 16 and dtype != dtypes.bfloat16
    return float(limits.smallest_subnormal if narrow else limits.smallest_normal)
