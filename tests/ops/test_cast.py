"""Casts of floats to integers at and beyond the bounds of the integer type."""

from __future__ import annotations

import numpy as np
import pytest

from ir.ops import get
from ir.types import dtype

LOW32, LOW64 = -(2**31), -(2**63)
TABLE = [
    ("int32", [1.9, -1.9, 2.0**31 - 1, -(2.0**31), 2.0**31, -(2.0**31) - 1, 1e20], [1, -1, 2**31 - 1, *[LOW32] * 4]),
    ("int64", [-(2.0**63), 2.0**62, 2.0**63, -1e30], [LOW64, 2**62, LOW64, LOW64]),
    ("int8", [127.0, 128.0, 300.5, -129.0, 2.0**31], [127, -128, 44, 127, 0]),
    ("uint8", [255.9, 256.0, -1.0, 1e20], [255, 0, 255, 0]),
    ("int16", [32767.0, 32768.0, 2.0**31 + 5], [32767, -32768, 0]),
    ("uint32", [2.0**32 - 1, 2.0**32, -1.0, 2.0**31], [2**32 - 1, 0, 2**32 - 1, 2**31]),
    ("uint64", [2.0**63, 2.0**63 + 2.0**11, 2.0**64, -1.0, 5.0], [2**63, 2**63 + 2**11, 2**63, 2**64 - 1, 5]),
]
NOT_A_NUMBER = {"int32": LOW32, "int64": LOW64, "int8": 0, "uint8": 0, "int16": 0, "uint32": 0, "uint64": 2**63}


@pytest.mark.parametrize(("kind", "values", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_out_of_range(kind: str, values: list[float], expected: list[int]) -> None:
    result = get("cast").evaluate(x=np.array(values), to=dtype(kind))
    assert result.dtype == dtype(kind).numpy
    assert result.tolist() == expected


@pytest.mark.parametrize("kind", sorted(NOT_A_NUMBER))
def test_not_a_number_and_infinities(kind: str) -> None:
    result = get("cast").evaluate(x=np.array([np.nan, np.inf, -np.inf]), to=dtype(kind))
    assert result.tolist() == [NOT_A_NUMBER[kind]] * 3
