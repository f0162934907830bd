"""The machinery round the models of TensorFlow, two of them in full, and the record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytest.importorskip("torch")

import fixtures.tensorflow
from ir.data import Array
from tests.suites import tensorflow_page as page
from tests.suites.tensorflow_run import TARGETS, Case, Outcome, names, run


def test_the_table_has_all_kinds() -> None:
    wanted = {"cnn", "transformer", "while lstm", "decoder", "frozen loop", "session", "signature 1", "signature 2"}
    assert wanted <= set(fixtures.tensorflow.TABLE) < set(names())


def test_the_numbers_of_a_model_are_always_the_same(tmp_path: Path) -> None:
    first, second = (fixtures.tensorflow.build("bags", tmp_path).source.deep for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["decoder", "frozen loop"])
def test_a_model_passes(name: str) -> None:
    outcomes = run(name, ("torch", "onnx"))
    assert [o.verdict for o in outcomes] == ["passed", "passed"], outcomes


def test_a_wrong_model_is_noticed(tmp_path: Path) -> None:
    """A number that trains no more, and an answer that is wrong."""
    case = Case("bags", tmp_path)
    case.built.trainable = 1
    counted = case.outcome("torch")
    assert counted.verdict == "wrong" and "the source has 1 and 0" in counted.detail
    case = Case("bags", tmp_path)
    case.model.update_weight("head.b", data=Array(np.ones(1, np.float32)))
    assert case.outcome("onnx").verdict == "wrong"


def test_falling_below_the_record_is_noticed() -> None:
    good = [Outcome("a", to, "passed") for to in TARGETS]
    assert not page.fallen(good, good)
    assert page.fallen(good, good[:1])
    assert page.fallen(good, [*good[1:], replace(good[0], verdict="refused")])


def test_the_page_is_current() -> None:
    assert page.PAGE.read_text() == page.text(page.read()), "run `make suite-tensorflow SUITE_ARGS=--update`"


def test_nothing_is_recorded_as_wrong() -> None:
    outcomes = page.recorded(page.read())
    assert {o.verdict for o in outcomes} <= {"passed", "refused", "unproven"}
    assert {(o.name, o.to) for o in outcomes} == {(n, to) for n in names() for to in TARGETS}
