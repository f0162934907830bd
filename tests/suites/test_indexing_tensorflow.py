"""A part of the recorded indexing cases as emitted TensorFlow, eager and compiled, the machinery, and the record."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.policies import INDEX_POLICIES
from tests.suites import indexing_page as page
from tests.suites import indexing_tensorflow as run
from tests.suites.indexing_run import cases

CASES = cases()
MISSED = ("gather/gather_error_1", "segment_reduce/sg_err_1", "mask_scatter/msc_err_1")
"""Errors that XLA does not raise."""
NOTED = {(name, f"ir to tensorflow, compiled, {policy}") for name in MISSED for policy in INDEX_POLICIES}
FEW = (
    *MISSED, "gather/gather_grad_1", "scatter_elements/se_grad_4", "scatter_elements/se_grad_dup_none_1",
    "scatter_nd/snd_drop_2",
)  # fmt: skip


@pytest.mark.parametrize("name", FEW)
def test_some_cases_in_both_ways(name: str) -> None:
    outcomes = run.run_case(CASES[name])
    assert len(outcomes) == 4
    for o in outcomes:
        assert o.verdict == ("noted" if (name, o.route) in NOTED else "passed"), o


def test_a_wrong_answer_and_a_wrong_gradient_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong:
        def __init__(self, name: str, value: int, gradient: int) -> None:
            self.case, self.value, self.gradient = CASES[name], value, gradient

        def run(self, *_: Any, cotangent: Any = None) -> dict[str, np.ndarray]:
            if cotangent is None:
                return {"output": self.case.output + self.value}
            return {k: v + self.gradient for k, v in self.case.gradients.items()}

    for name, value, gradient, verdict in [
        ("gather/gather_basic_1", 1, 0, "wrong"),
        ("gather/gather_grad_1", 0, 1, "wrong"),
        ("gather/gather_grad_1", 0, 0, "passed"),
    ]:
        monkeypatch.setattr(run, "process", functools.partial(Wrong, name, value, gradient))
        assert {o.verdict for o in run.run_case(CASES[name])} == {verdict}


def test_a_missing_error_is_wrong_without_a_note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Silent:
        def run(self, *_: Any) -> dict[str, np.ndarray]:
            return {"output": np.zeros(1)}

    monkeypatch.setattr(run, "process", Silent)
    case = CASES["gather/gather_error_1"]
    assert run._answer(case, tmp_path, "eager", [])[0] == "wrong"
    assert (
        run._answer(case, tmp_path, "compiled", ["an index out of range is read otherwise where XLA compiles"])[0]
        == "noted"
    )
    assert (
        run._answer(case, tmp_path, "eager", ["an index out of range is read otherwise where XLA compiles"])[0]
        == "wrong"
    )


def test_the_record_has_every_case_and_nothing_wrong() -> None:
    recorded = page.read_tensorflow()["counts"]
    assert len(recorded) == 4
    for route, counts in recorded.items():
        assert counts["counted"] == len(CASES) == 190, route
        assert counts["wrong"] == counts["crashed"] == 0, route
        assert not counts["refused"] or "compiled" in route, route
        assert not counts["noted"] or "compiled" in route or route.endswith("source"), route
