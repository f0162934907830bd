"""A seeded part of ONNX's backend tests, and the machinery around it."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest

import converter
from tests.suites import results, running
from tests.suites.cases import Case, load_cases
from tests.suites.compare import difference
from tests.suites.onnx_backend import choose, main, summary
from tests.suites.rounding import explains
from tests.suites.running import Outcome, run_case

FEW = 60


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return load_cases()


@pytest.mark.parametrize("to", ["onnx", "torch"])
def test_a_sample_is_never_wrong(cases: list[Case], to: str) -> None:
    from argparse import Namespace

    chosen = choose(cases, Namespace(only=None, limit=FEW, seed=7))
    outcomes = [run_case(case, to) for case in chosen]
    bad = [f"{o.label}: {o.verdict}: {o.detail}" for o in outcomes if o.verdict in ("wrong", "crashed")]
    assert not bad, "\n".join(bad)
    assert sum(o.verdict == "passed" for o in outcomes) > FEW / 2


@pytest.mark.parametrize("to", ["onnx", "torch", "ir"])
def test_a_wrong_answer_is_noticed(cases: list[Case], to: str) -> None:
    """The case of a difference, with the model of a sum."""
    case = next(c for c in cases if c.label == "node/test_sub")
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    model.graph.node[0].op_type = "Add"
    outcome = run_case(Case(case.kind, case.name, case.category, model, case.data), to)
    assert outcome.verdict == "wrong", outcome


def test_comparison_is_of_shape_type_and_number() -> None:
    one = np.ones(3, np.float32)
    assert not difference(np.array([np.nan, 1], np.float32), np.array([np.nan, 1], np.float32), 1e-3, 1e-7)
    assert difference(one, one.astype(np.float64), 1e-3, 1e-7)
    assert difference(one, one.reshape(1, 3), 1e-3, 1e-7)
    assert difference(one, one * np.float32(1.002), 1e-3, 1e-7)
    assert difference(np.array([1, 2]), np.array([1, 3]), 1, 1)


def _softmax_of_sums(scale: float) -> tuple[onnx.ModelProto, dict[str, np.ndarray], np.ndarray]:
    """Softmax of four sums of the same hundred numbers in other orders; what it is by exact arithmetic."""
    rng = np.random.default_rng(0)
    numbers = rng.uniform(-1, 1, 100).astype(np.float32)
    weight = np.stack([rng.permutation(numbers) for _ in range(4)], axis=1)
    text = """<ir_version: 8, opset_import: ["" : 17]>
    agraph (float[1, 100] x, float[100, 4] w) => (float[1, 4] y) { s = MatMul(x, w) y = Softmax(s) }"""
    inputs = {"x": np.full((1, 100), scale, np.float32), "w": weight}
    return onnx.parser.parse_model(text), inputs, np.full((1, 4), 0.25, np.float32)


def test_what_rounding_decides_is_undecided_and_nothing_else() -> None:
    model, inputs, even = _softmax_of_sums(1e9)
    read = converter.load(model, framework="onnx")

    def explained(found: np.ndarray, want: np.ndarray = even, given: dict[str, np.ndarray] = inputs) -> bool:
        return explains(read, given, [want], [found], 1e-3, 1e-7)

    one = np.array([[0, 0, 1, 0]], np.float32)
    assert difference(one, even, 1e-3, 1e-7) and explained(one)
    assert not explained(one, want=one[:, ::-1])  # the import is not what the suite expects
    assert not explained(one * np.nan) and not explained(one[0]) and not explained(one.astype(np.float64))
    assert not explained(one * 100)
    assert not explained(one, given={**inputs, "x": inputs["x"] * np.float32(1e-9)})  # sums that float32 holds


def test_an_undecided_case_neither_passes_nor_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    model, inputs, even = _softmax_of_sums(1e9)
    monkeypatch.setattr(running, "_run", lambda *_: {"y": np.array([[0, 0, 1, 0]], np.float32)})
    case = Case("node", "sums", "ordinary", model, ((tuple(inputs.values()), (even,)),))
    outcome = run_case(case, "onnx")
    assert outcome.verdict == "undecided"
    found = summary([outcome])
    assert (
        found["counts"]["ordinary"] | {"counted": 1, "passed": 0, "wrong": 0, "undecided": 1}
        == found["counts"]["ordinary"]
    )
    assert found["undecided"] == ["node/sums"]
    assert "| ordinary | 1 | 0 | 0.0 % | 0 | 0 | 1 | 0 | 0 |" in results.table_lines(found["counts"])


def test_falling_below_the_record_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    good = [Outcome("a", "ordinary", "passed"), Outcome("b", "ordinary", "refused", "Op", "reason")]
    monkeypatch.setattr(results, "read", lambda suite: {"onnx": summary(good)})
    assert not results.compare("onnx_backend", "onnx", summary(good))
    assert results.compare("onnx_backend", "onnx", summary(good[:1]))
    assert results.compare("onnx_backend", "onnx", summary([good[1], good[1]]))


def test_the_command_fails_on_nothing_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run over few cases is not held against the record."""
    monkeypatch.setattr(results, "read", lambda suite: {})
    assert main(["--to", "ir", "--only", "^node/test_sub$"]) == 0
    assert results.compare("onnx_backend", "onnx", {"counts": {}})


def test_the_page_is_current() -> None:
    assert results.PAGE.read_text() == results.page(), "run `make suite-onnx SUITE_ARGS=--update`"


def test_nothing_is_recorded_as_wrong() -> None:
    for to, found in results.read("onnx_backend").items():
        for category, counts in found["counts"].items():
            assert counts["wrong"] == counts["crashed"] == 0, (to, category)
