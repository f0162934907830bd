"""What ops that rearrange and write elements refuse, by its words, and the nearest thing that is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ir.types import tensor_type
from tests.ops.test_refusals import N, inferred, of

IDS, INT = tensor_type("int64", 4), tensor_type("int64")
SEGMENTS = {"reduction": "add"}
REFUSED = [
    ("reshape", {"shape": (-2, -3)}, (of(2, 3),), r"reshape: sizes \(-2, -3\) must not be negative"),
    ("expand", {"shape": (-2, 3)}, (of(3),), r"expand: sizes \(-2, 3\) must not be negative"),
    ("split", {"sizes": (7, -1)}, (of(6),), r"split: sizes \(7, -1\) must not be negative"),
    ("tile", {"repeats": (-1, 2)}, (of(2, 3),), r"tile: sizes \(-1, 2\) must not be negative"),
    ("flatten", {"start": 1}, (of(),), "axis 1"),
    ("flatten", {"start": 0, "end": 1}, (of(),), "axis 1"),
    ("concat", {"axis": 1}, ((of(2, 3), of(3, 3)),), "concat along axis 1: sizes 2 and 3 differ"),
    ("concat", {"axis": 0}, ((of(2, 3), of(2, 4), of(2, 4)),), "concat along axis 0: sizes 3 and 4 differ"),
    ("concat", {"axis": 1}, ((of(2, 3, 5), of(2, 3, 5), of(2, 3, 4)),), "concat along axis 1: sizes 5 and 4 differ"),
    ("stack", {"axis": 3}, ((of(2, 3), of(2, 3)),), "axis 3"),
    ("stack", {"axis": -4}, ((of(2, 3), of(2, 3)),), "axis -4"),
    ("stack", {"axis": 0}, ((of(2, 3), of(2, 3), of(2, 4)),), "stack: sizes 3 and 4 differ"),
    ("dynamic_slice", {"sizes": (2, 1)}, (of(5), (INT,)), "1 starts and 2 sizes for rank 1"),
    ("dynamic_slice", {"sizes": (2,)}, (of(5), (INT, INT)), "2 starts and 1 sizes for rank 1"),
    ("dynamic_slice", {"sizes": (2,)}, (of(5), (IDS,)), "starts must be 0-d"),
    ("dynamic_slice", {"sizes": (-1,)}, (of(5), (INT,)), "size -1 must not be negative"),
    ("segment_reduce", {**SEGMENTS, "num_segments": -1}, (of(4), IDS), "segment_reduce: -1 segments"),
]  # fmt: skip
ACCEPTED = [
    ("reshape", {"shape": (0, 3)}, (of(2, 0),), "float32[0, 3]"),
    ("expand", {"shape": (0, 3)}, (of(3),), "float32[0, 3]"),
    ("split", {"sizes": (6, 0)}, (of(6),), "float32[6], float32[0]"),
    ("tile", {"repeats": (0, 2)}, (of(2, 3),), "float32[0, 6]"),
    ("flatten", {"start": 0}, (of(),), "float32[1]"),
    ("flatten", {"start": -1, "end": 0}, (of(),), "float32[1]"),
    ("concat", {"axis": 1}, ((of(2, 3, 5), of(2, 1, 5), of(2, 4, 5)),), "float32[2, 8, 5]"),
    ("stack", {"axis": 2}, ((of(4, 3), of(4, 3)),), "float32[4, 3, 2]"),
    ("stack", {"axis": -2}, ((of(4, 3), of(4, 3)),), "float32[4, 2, 3]"),
    ("stack", {"axis": -3}, ((of(4, 3), of(4, 3)),), "float32[2, 4, 3]"),
    ("dynamic_slice", {"sizes": (0, 3)}, (of(5, 3), (INT, INT)), "float32[0, 3]"),
    ("segment_reduce", {**SEGMENTS, "num_segments": 0}, (of(4, 2), IDS), "float32[0, 2]"),
    ("segment_reduce", {**SEGMENTS, "num_segments": N}, (of(4, 2), IDS), "float32[n, 2]"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "attrs", "operands", "words"), REFUSED)
def test_refused(name: str, attrs: Mapping[str, Any], operands: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        inferred(name, attrs, *operands)


@pytest.mark.parametrize(("name", "attrs", "operands", "types"), ACCEPTED)
def test_accepted(name: str, attrs: Mapping[str, Any], operands: tuple[Any, ...], types: str) -> None:
    assert inferred(name, attrs, *operands) == types
