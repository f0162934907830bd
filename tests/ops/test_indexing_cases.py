"""The recorded cases of the indexing semantics: every result, error and canonical gradient, exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ir.ops import get
from tests.ops.indexing_model import arguments, array, evaluate, vjp

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "indexing_cases.json").read_text("utf-8"))[
    "cases"
]
RESULTS = [c for c in CASES if "output" in c["expected"]]
ERRORS = [c for c in CASES if "error" in c["expected"]]
GRADIENTS = [c for c in CASES if "grad" in c]


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[c["name"] for c in cases])


def compare(case: dict[str, Any], got: np.ndarray, expected: np.ndarray) -> None:
    assert got.dtype == expected.dtype and got.shape == expected.shape, case["name"]
    if expected.dtype.kind == "f" and case["op"] in ("scatter_elements", "scatter_nd", "segment_reduce", "index_put"):
        np.testing.assert_allclose(got, expected, rtol=case["tolerance"], atol=case["tolerance"])
    else:
        np.testing.assert_array_equal(got, expected)


def test_all_cases_are_here() -> None:
    assert (len(RESULTS), len(ERRORS), len(GRADIENTS)) == (160, 30, 28)


@named(RESULTS)
def test_result(case: dict[str, Any]) -> None:
    compare(case, evaluate(case["op"], *arguments(case)), array(case["expected"]["output"]))


@named([c for c in RESULTS if get(c["op"]).decompose is not None])
def test_lowered_result(case: dict[str, Any]) -> None:
    operands, attrs = arguments(case)
    try:
        got = evaluate(case["op"], operands, attrs, lowered=True)
    except NotImplementedError as refusal:
        assert case["op"] == "mask_scatter", refusal  # a static source has no named length
        return
    compare(case, got, array(case["expected"]["output"]))


@named(ERRORS)
def test_error(case: dict[str, Any]) -> None:
    with pytest.raises((ValueError, IndexError, TypeError)) as caught:
        evaluate(case["op"], *arguments(case))
    assert caught.value.kind == case["expected"]["error"], caught.value


@named(GRADIENTS)
def test_gradient(case: dict[str, Any]) -> None:
    grads = vjp(case)
    for name, record in case["grad"]["wrt"].items():
        expected = array(record)
        assert grads[name].shape == expected.shape
        np.testing.assert_allclose(grads[name], expected, rtol=1e-12, atol=1e-12, err_msg=name)
