"""The recorded indexing cases written in TensorFlow: what TensorFlow computes, an array or an error, the import must."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
import tensorflow as tf

from converter.errors import ConversionError
from ir.eval import EvaluationError, Evaluator
from tests.importers.tensorflow.harness import load
from tests.suites.indexing_run import ACCUMULATING, Case, cases
from tests.suites.indexing_tensorflow_source import Inexpressible, function_of

CASES = cases()


def verdict(case: Case) -> tuple[str, str]:
    """`passed`, `noted`, `unsaid` where TensorFlow cannot say the case, or `wrong`; and why."""
    try:
        traced = function_of(case.op, case.attrs, case.inputs)
    except Inexpressible as error:
        return "unsaid", str(error)
    except Exception as error:  # noqa: BLE001 - TensorFlow refuses the case where it is traced
        return ("passed", "") if case.error else ("unsaid", f"{type(error).__name__} {error}")
    try:
        want = traced(*(tf.constant(v) for v in case.inputs.values())).numpy()
    except tf.errors.OpError as error:
        want = None
        if not case.error:
            return "unsaid", str(error)
    try:
        model = load(traced)
        given = dict(zip(model.input_types, case.inputs.values(), strict=True))
        (got,) = Evaluator("exact").run(model, given).values()
    except (ConversionError, EvaluationError, IndexError, ValueError) as error:
        return ("passed", "") if want is None else ("wrong", f"{type(error).__name__} {error}")
    return _judged(case, got, want, model.notes)


def _judged(case: Case, got: np.ndarray, want: Any, notes: list[str]) -> tuple[str, str]:
    if want is not None and got.dtype == want.dtype and got.shape == want.shape:
        slack = case.tolerance if want.dtype.kind == "f" and case.op in ACCUMULATING else 0
        if np.all(np.isclose(got, want, slack, slack, equal_nan=True) if want.dtype.kind == "f" else got == want):
            return "passed", ""
    told = [n for n in notes if "TensorFlow" in n]
    return (
        ("noted", told[0])
        if told
        else ("wrong", f"{got.tolist()} instead of {None if want is None else want.tolist()}")
    )


def test_cases_written_in_tensorflow() -> None:
    found = {name: verdict(case) for name, case in CASES.items()}
    assert not [f"{n}: {why}" for n, (kind, why) in found.items() if kind == "wrong"]
    counted = Counter(kind for kind, _ in found.values())
    assert counted == {"passed": 161, "noted": 4, "unsaid": 25}


def test_a_wrong_answer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES["gather/gather_basic_2"]
    assert verdict(case)[0] == "passed"
    monkeypatch.setattr(Evaluator, "run", lambda *_: {"output": case.output + 1})
    assert verdict(case)[0] == "wrong"
