"""A part of the recorded indexing cases on every backend of Keras, and the machinery that judges them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.exporters.keras.backends import BACKENDS
from tests.suites import indexing_keras as run
from tests.suites.indexing_run import cases

CASES = cases()
NOTED = {"gather/gather_neg_invalid_1"}
FEW = (
    "gather/gather_neg_invalid_1",
    "gather/gather_empty_1",
    "scatter_elements/se_grad_dup_none_1",
    "scatter_nd/snd_drop_2",
)


@pytest.mark.parametrize("name", FEW)
def test_some_cases_on_every_backend(name: str) -> None:
    outcomes = run.run_case(CASES[name])
    assert len(outcomes) == 2 * len(BACKENDS)
    for o in outcomes:
        assert o.verdict == ("noted" if name in NOTED and o.policy == "source" else "passed"), o


def test_a_wrong_answer_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Wrong:
        def run(self, *_: Any) -> dict[str, np.ndarray]:
            return {"output": CASES["gather/gather_basic_1"].output + 1}

    monkeypatch.setattr(run, "backend", lambda on: Wrong())
    assert {o.verdict for o in run.run_case(CASES["gather/gather_basic_1"])} == {"wrong"}
    assert {o.verdict for o in run.run_case(CASES["gather/gather_empty_1"])} == {"noted", "wrong"}
