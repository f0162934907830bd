"""A part of the recorded indexing cases, the machinery around them, and the record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.suites import indexing_page as page
from tests.suites import indexing_run as run
from tests.suites.indexing import run as run_all
from tests.suites.indexing_run import Case, Outcome, cases, kind_of

CASES = cases()
FEW = (
    "gather/gather_neg_invalid_1", "gather/gather_modes_grad_1", "scatter_elements/se_grad_dup_none_1",
    "scatter_elements/se_grad_tie_noself_1", "scatter_nd/snd_drop_2", "index_get/ig_err_1", "index_put/ip_3", "slice/kinds_2",
)  # fmt: skip
NOTED = {
    ("gather/gather_neg_invalid_1", "ir to onnx, source"), ("gather/gather_neg_invalid_1", "torch to onnx, source"),
    ("scatter_elements/se_grad_dup_none_1", "onnx to torch, source"), ("scatter_elements/se_grad_dup_none_1", "ir to torch, source"),
}  # fmt: skip


def test_the_denominator_is_fixed() -> None:
    counted = {route: n["counted"] for route, n in page.read()["counts"].items()}
    assert len(CASES) == 190 and len(page.inexpressible()) == 5
    assert {route.split()[0]: n for route, n in counted.items()} == {"ir": 190, "torch": 190, "onnx": 185}
    assert len(counted) == 15


@pytest.mark.parametrize("name", FEW)
def test_some_cases_on_every_route(name: str) -> None:
    (outcomes,) = run_all([name], run.SOURCES, 1)
    assert len(outcomes) == 15
    for o in outcomes:
        assert o.verdict == ("noted" if (name, o.route) in NOTED else "passed"), o


def test_all_cases_of_the_ir_and_of_onnx_through_the_evaluator() -> None:
    seen = 0
    for case in CASES.values():
        for source, read, _ in run.sources(case):
            if source == "torch":
                continue
            models: list[Any] = []
            verdict = run._judged(lambda read=read, models=models: models.append(read()), case, reading=True)
            if models:
                verdict = run._judged(lambda s=source, m=models, c=case: run._evaluated(c, s, m[0]), case)
            assert verdict == ("passed", ""), (case.name, source)
            seen += 1
    assert seen == 190 + 185


@pytest.mark.parametrize("source", run.SOURCES)
def test_a_wrong_answer_is_noticed(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES["gather/gather_basic_1"]
    own = Case.differs
    monkeypatch.setattr(Case, "differs", lambda self, got: own(self, got + (self.broken and got.ndim > 0)))
    monkeypatch.setattr(Case, "broken", False, raising=False)
    for target in ("torch", "onnx"):
        assert _verdict(case, source, target) == "passed"
    monkeypatch.setattr(run, "sources", lambda c: ((s, r, None) for s, r, _ in _SOURCES(c)))
    monkeypatch.setattr(Case, "broken", True)
    for target in ("ir", "torch", "onnx"):
        assert _verdict(case, source, target) == "wrong"


_SOURCES = run.sources


def _verdict(case: Case, source: str, to: str) -> str:
    return next(o.verdict for o in run.run_case(case, (source,)) if o.to == to)


def test_an_error_of_another_kind_or_none_is_noticed() -> None:
    case = CASES["gather/gather_error_1"]
    assert run._of_kind(case, "index", "") == ("passed", "")
    assert run._of_kind(case, "shape", "")[0] == "wrong"
    with pytest.raises(run.Missed):
        run._expected(case, np.zeros(1))
    with pytest.raises(run.Missed):
        run.same_gradients({"x": np.zeros(2)}, {"x": np.array([0.0, 1e-6])})


@pytest.mark.parametrize(("kind", "text"), [
    ("index", "index 2 is out of bounds for dimension 0 with size 2"), ("index", "indices element out of data bounds, idx=3"),
    ("index", "index out of range in self"), ("axis", "Dimension out of range (expected to be in range of [-1, 0], but got 1)"),
    ("dtype", "tensors used as indices must be long, int, byte or bool tensors"), ("attr", "slice step cannot be zero"),
    ("shape", "too many indices for tensor of dimension 2"), ("", "segmentation fault"),
])  # fmt: skip
def test_errors_have_kinds(kind: str, text: str) -> None:
    assert kind_of(text) == kind


def test_falling_below_the_record_is_noticed() -> None:
    good = [Outcome("a", "ir", "onnx", "strict", "passed"), Outcome("b", "ir", "onnx", "strict", "noted", "why")]
    recorded = page.summary(good)
    assert not page.fallen(recorded, good)
    assert page.fallen(recorded, good[:1])
    assert page.fallen(recorded, [good[1], replace(good[0], verdict="refused")])
    assert page.fallen({}, good)


def test_the_page_is_current() -> None:
    assert page.PAGE.read_text() == page.page(page.read()), "run `make suite-indexing SUITE_ARGS=--update`"


def test_nothing_is_recorded_as_wrong_and_strict_needs_no_note() -> None:
    for route, counts in page.read()["counts"].items():
        assert counts["wrong"] == counts["crashed"] == counts["refused"] == 0, route
        assert not counts["noted"] or route.endswith("source"), route
