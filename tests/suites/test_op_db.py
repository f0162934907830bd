"""A few operators of PyTorch's database, and the machinery around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.suites import op_db, results
from tests.suites import op_db_cases as cases
from tests.suites.op_db import Outcome, summary

FEW = ("add", "linalg.lu", "special.zeta", "nn.functional.adaptive_max_pool2d", "digamma", "signbit")
COUNTED = 636
"""Entries with float32 in the version of PyTorch that the constraints name, without those left out."""


@pytest.fixture(scope="module")
def entries() -> dict[str, Any]:
    return cases.entries()


def test_the_denominator_is_fixed(entries: dict[str, Any]) -> None:
    left_out = sum(len(names) for names in cases.LEFT_OUT.values())
    assert torch.__version__.split("+")[0] != "2.13.0" or (len(entries), left_out) == (COUNTED, 41)


@pytest.mark.parametrize("name", FEW)
def test_some_operators_pass(entries: dict[str, Any], name: str) -> None:
    outcomes = op_db.run_op(name, entries[name], ("torch", "onnx", "ir"))
    assert [o.verdict for o in outcomes] == ["passed"] * 3, outcomes


@pytest.mark.parametrize("to", ["torch", "onnx", "ir"])
def test_a_wrong_answer_is_noticed(entries: dict[str, Any], to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = cases.expected
    monkeypatch.setattr(cases, "expected", lambda applied: ([x * 1.001 for x in own(applied)[0]], None))
    (outcome,) = op_db.run_op("cos", entries["cos"], (to,))
    assert outcome.verdict == "wrong", outcome


def test_comparison_is_of_shape_type_and_number() -> None:
    one = torch.ones(3)
    assert not cases.difference(np.array([1, 1, 1], np.float32), one, None)
    assert cases.difference(np.array([1, 1, 1], np.float64), one, None)
    assert cases.difference(np.array([[1, 1, 1]], np.float32), one, None)
    assert cases.difference(np.array([1, 1, 1.0001], np.float32), one, None)
    assert cases.difference(np.array([1, 1, np.nan], np.float32), one, None)
    assert cases.difference(np.array([1, 2]), torch.tensor([1, 3]), None)


def test_a_difference_of_eager_pytorch_from_itself_is_noise_only_when_small() -> None:
    one, near, far = torch.ones(2), torch.ones(2, dtype=torch.float64) * (1 + 1e-5), -torch.ones(2, dtype=torch.float64)
    assert not cases.difference(np.array([1, 1.0001], np.float32), one, near)
    assert cases.difference(np.array([1, -1], np.float32), one, far)


def test_numbers_are_compared_and_nothing_goes_uncompared() -> None:
    assert [t.dtype for t in cases.tensors_of((True, 3, 1.5))] == [torch.bool, torch.int64, torch.float32]
    with pytest.raises(TypeError):
        cases.tensors_of("text")


def test_random_samples_are_passed_over_and_writes_go_to_copies(entries: dict[str, Any]) -> None:
    attention = entries["nn.functional.multi_head_attention_forward"]
    assert not any(cases._is_random(a) for a in cases.applications(attention))
    assert any(cases._is_random(a) for _, a in zip(range(4), cases._drawn(attention)))
    assert any(a.in_place for a in cases.applications(entries["native_batch_norm"]))
    assert not any(a.in_place for a in cases.applications(entries["add"]))


def test_falling_below_the_record_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    good = [Outcome("a", "onnx", "passed"), Outcome("b", "onnx", "refused", "op", "reason")]
    monkeypatch.setattr(results, "read", lambda suite: {"onnx": summary(good)})
    assert not results.compare("op_db", "onnx", summary(good))
    assert results.compare("op_db", "onnx", summary(good[:1]))
    assert results.compare("op_db", "onnx", summary([good[1], good[1]]))


def test_nothing_is_recorded_as_wrong() -> None:
    for to, found in results.read("op_db").items():
        for category, counts in found["counts"].items():
            assert counts["wrong"] == counts["crashed"] == 0, (to, category)
            assert counts["counted"] == counts["passed"] + counts["refused"]
