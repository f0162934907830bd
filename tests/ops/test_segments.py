"""What segments without slices hold, and what lowered scatters promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ir.ops import get
from ir.ops.sampler import Sample
from ir.types import dtypes
from tests.ops.harness import decomposed_model
from tests.ops.indexing_model import evaluate

COMBINED: dict[str, Any] = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
KINDS = (dtypes.float32, dtypes.float64, dtypes.float16, dtypes.int8, dtypes.int64, dtypes.uint8, dtypes.bool_)


def _values(kind: Any) -> np.ndarray:
    """Of a dtype, with its ends."""
    if kind.is_bool:
        return np.array([False, True])
    if kind.is_integer:
        info = np.iinfo(kind.numpy)
        return np.array([info.min, 0, 1, 7, info.max], kind.numpy)
    return np.array([-np.inf, -2.5, 0.0, 1.0, 3.0, np.inf], kind.numpy)


@pytest.mark.parametrize("lowered", [False, True])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_empty_segment_holds_what_changes_nothing(kind: Any, lowered: bool) -> None:
    """Combined with any value of the dtype it gives that value."""
    values = _values(kind)
    for reduction, combine in COMBINED.items():
        operands = {"data": np.zeros((0, len(values)), kind.numpy), "ids": np.zeros(0, np.int64)}
        attrs = {"num_segments": 2, "reduction": reduction}
        empty = evaluate("segment_reduce", operands, attrs, lowered=lowered)
        assert empty.shape == (2, len(values)) and empty.dtype == kind.numpy
        for row in empty:
            np.testing.assert_array_equal(combine(row, values), values, err_msg=reduction)
        zeros = evaluate("segment_reduce", operands, attrs | {"empty": "zero"}, lowered=lowered)
        np.testing.assert_array_equal(zeros, np.zeros_like(zeros))
    if not kind.is_bool:
        mean = evaluate("segment_reduce", operands, {"num_segments": 2, "reduction": "mean"}, lowered=lowered)
        np.testing.assert_array_equal(mean, np.zeros_like(mean))


ZEROS, ONES, START = np.zeros((5, 2)), np.ones((2, 2)), np.array(1)
LOWERED = {
    "mask_scatter": Sample((ZEROS, np.arange(5) > 2, ONES), {"symbol": "count"}),
    "slice_update": Sample((ZEROS, ONES), {"axes": (0,), "starts": (1,), "stops": (5,), "steps": (2,)}),
    "dynamic_update_slice": Sample((ZEROS, ONES, (START, START)), {}),
}


@pytest.mark.parametrize("name", LOWERED)
def test_lowered_writes_promise_places_that_are_neither_negative_nor_twice(name: str) -> None:
    """Targets need to turn no negative positions and may write in any order."""
    model, _ = decomposed_model(get(name), LOWERED[name])
    (scatter,) = [n for n in model.nodes() if n.op.name == "scatter_nd"]
    assert scatter.attrs["neg"] == "invalid" and scatter.attrs["unique"] is True


@pytest.mark.parametrize("name", ["dynamic_slice", "dynamic_update_slice"])
def test_an_empty_block_whose_start_must_be_right_is_not_lowered(name: str) -> None:
    sizes, block = ({"sizes": (0, 2)}, ()) if name == "dynamic_slice" else ({}, (np.ones((0, 2)),))
    for bounds in ("error", "clip"):
        sample = Sample((ZEROS, *block, (START, START)), {**sizes, "bounds": bounds})
        if bounds == "error":
            with pytest.raises(NotImplementedError, match="an empty block has no positions left to check"):
                decomposed_model(get(name), sample)
        else:
            decomposed_model(get(name), sample)
