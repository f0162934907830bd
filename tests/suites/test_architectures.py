"""The machinery round the architectures, one of them in full, and the record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fixtures.architectures import TABLE
from tests.suites import architectures_page as page
from tests.suites.architectures import in_turn
from tests.suites.architectures_run import DTYPES, TARGETS, Case, Outcome, differs, run_architecture


def test_the_table_has_forty_architectures_of_all_families() -> None:
    assert len(TABLE) >= 40
    assert sorted(in_turn()) == sorted(TABLE)
    assert {row.family for row in TABLE.values()} >= {
        "text encoder", "decoder", "encoder-decoder", "vision", "audio", "multimodal", "mixture of experts", "state space",
    }  # fmt: skip


def test_one_architecture_passes() -> None:
    outcomes = run_architecture("fnet", "float32")
    assert {o.to: o.verdict for o in outcomes} == {"onnx": "passed", "torch": "passed"}, outcomes


def test_a_wrong_model_is_noticed() -> None:
    """By verification, and without it by our own comparison."""
    case = Case("albert", "float32")
    assert case.load() is None
    for node in list(case.model.nodes()):
        if node.op.name == "layer_norm":
            node.attrs["eps"] = 1e-2
    case.baseline = _other(case)
    problem = case.answer("torch")
    assert problem is not None and problem[0] == "comparison", problem


def _other(case: Case) -> Any:
    """A baseline that believes the wrong import."""
    from converter.verification import Baseline

    return Baseline(case.model, "torch", 0, [])


def test_a_difference_is_told() -> None:
    truth = np.linspace(-1, 1, 5)
    own = (truth * (1 + 1e-6)).astype(np.float32)
    assert not differs(own, own, truth)
    assert not differs((truth * (1 + 3e-6)).astype(np.float32), own, truth)
    assert differs((truth * (1 + 9e-6)).astype(np.float32), own, truth)
    assert differs(own[:4], own, truth)
    assert differs(own.astype(np.float64), own, truth)
    assert differs(np.where(own > 0.9, np.nan, own).astype(np.float32), own, truth)
    assert differs(np.array([1, 2]), np.array([1, 3]), np.array([1, 3]))


def test_falling_below_the_record_is_noticed() -> None:
    good = [Outcome("a", "float32", to, "passed") for to in TARGETS]
    recorded = page.summary(good)
    assert not page.fallen(recorded, good)
    assert page.fallen(recorded, good[:1])
    assert page.fallen(recorded, [good[0], replace(good[1], verdict="refused")])
    assert page.fallen({}, good)


def test_the_page_is_current() -> None:
    assert page.PAGE.read_text() == page.page(page.read()), "run `make suite-transformers SUITE_ARGS=--update`"


def test_nothing_is_recorded_as_wrong() -> None:
    found = page.read()
    for to, counts in found["counts"].items():
        assert counts["wrong"] == counts["crashed"] == 0, to
    known = {f"{n} {d} {to}" for n in TABLE for d in DTYPES for to in TARGETS}
    assert set(found["conversions"]) <= known
