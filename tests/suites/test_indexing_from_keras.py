"""A part of the recorded indexing cases from Keras on the backend of this process, the judgement, and the record."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from keras import config

from tests.exporters.keras.backends import BACKENDS
from tests.suites import indexing_from_keras as run
from tests.suites import indexing_keras_source as source
from tests.suites import indexing_page as page
from tests.suites.indexing_run import cases

CASES = cases()


def test_cases_on_the_running_backend() -> None:
    """TensorFlow reads -1 from the end but writes nowhere there, and raises beyond the end, reading and writing."""
    found = run.run_case(CASES["gather/gather_error_2"], config.backend())
    assert {o.case.partition(" by ")[2] for o in found} == {"take", "subscript, gather", "Embedding"}
    found += run.run_case(CASES["scatter_nd/snd_drop_2"], config.backend())
    counted = Counter((o.case.partition(" by ")[2], o.verdict) for o in found)
    assert counted == {
        ("take", "passed"): len(run.ROUTES), ("Embedding", "passed"): len(run.ROUTES), ("subscript, gather", "refused"): len(run.ROUTES),
        ("scatter_update", "passed"): len(run.ROUTES), ("scatter_update, as it is", "passed"): len(run.ROUTES),
    }, found  # fmt: skip


def test_what_keras_computes_is_measured() -> None:
    case = CASES["gather/gather_error_2"]
    own = run.measured(case, "take", source.model_of(case.op, case.attrs, "take", case.inputs))
    assert own.error == "index" and own.array is None and own.says
    case = CASES["gather/gather_basic_2"]
    own = run.measured(case, "take", source.model_of(case.op, case.attrs, "take", case.inputs))
    assert own.array is not None and not case.differs(own.array)


def test_a_wrong_answer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES["gather/gather_basic_2"]
    assert case.output.size
    monkeypatch.setattr(run, "_written", lambda model, case, *_: case.output + 1)
    verdicts = {(o.to, o.verdict) for o in run.run_case(case, config.backend()) if o.to}
    assert verdicts == {("ir", "passed"), ("torch", "wrong"), ("onnx", "wrong")}
    error = CASES["gather/gather_error_2"]
    monkeypatch.setattr(run, "_written", lambda *_: np.zeros(1))
    assert {o.verdict for o in run.run_case(error, config.backend()) if o.to == "torch"} == {"wrong", "refused"}


def test_the_record() -> None:
    """Every backend, every route; nothing wrong, and refused what has a reason."""
    recorded: dict[str, Any] = page.read_keras()
    assert {route.split()[2] for route in recorded["counts"]} == set(BACKENDS)
    assert len(recorded["counts"]) == len(BACKENDS) * len(run.ROUTES)
    for route, counts in recorded["counts"].items():
        assert counts["wrong"] == counts["crashed"] == 0, route
        assert counts["counted"] > 220 and counts["passed"] > 0.9 * counts["counted"], route
    assert all(reason for reason in recorded["refused"])


@pytest.mark.parametrize("op", source.SPELLINGS)
def test_every_op_has_spellings(op: str) -> None:
    names = {n for c in CASES.values() if c.op == op for n in source.names_of(op, c.attrs, c.inputs)}
    assert names == set(source.SPELLINGS[op])
