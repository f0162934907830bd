"""A dynamic size is tried as 0: what has a number in it is judged, what has none or fails is told."""

from collections.abc import Callable

import numpy as np
import pytest

from converter.errors import UsageError
from converter.importers.base import ImportOptions
from converter.runtimes.base import RuntimeFailure
from converter.runtimes.reference import ReferenceRunner
from converter.sources import Source
from converter.verification import run as verification
from converter.verification import verify_models
from ir.core import Builder, Leaf, Model, Parameter, Signature
from ir.types import Assumption, dim_min, floordiv, symbol, tensor_type

Change = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


def model_of(reduce: str | None = None, sizes: tuple = (symbol("batch"), symbol("length"))) -> Model:
    """The square of x, or its sum or largest element along the first axis."""
    model = Model("m", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(tensor_type("float32", *sizes), "x")
    b = Builder(model.graph)
    y = b.mul(x, x)
    model.graph.set_outputs([y if reduce is None else getattr(b, f"reduce_{reduce}")(y, axes=(0,))])
    return model


class Changed(ReferenceRunner):
    """A framework that does something else where there are no elements."""

    def __init__(self, model: Model, change: Change) -> None:
        super().__init__(model, "exact")
        self.change = change

    def in_turn(self, calls):
        (found,) = super().in_turn(calls)
        return [found if all(a.size for a in calls[0].values()) else self.change(found)]


def fails(_: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    raise RuntimeFailure("a kernel\x1b[1m takes\n\n{{function_node a_device_/job:localhost}} no empty tensor\x1b[0m")


def turned(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {n: a.reshape(a.shape[::-1]) for n, a in found.items()}


def verified(monkeypatch, model: Model, source: Change = dict, converted: Change = dict):
    monkeypatch.setattr(verification, "source_runner", lambda *_: Changed(model, source))
    return verify_models(Source(None, "torch", None, ImportOptions()), model, Changed(model, converted)).report


def empty(report) -> list[str]:
    return [case["x"] for case in report.cases if "0" in case["x"].removeprefix("float32")]


def test_each_size_is_tried(monkeypatch):
    report = verified(monkeypatch, model_of())
    assert report.passed and not report.notes
    assert len(empty(report)) == 2 and any(x.startswith("float32[0, ") for x in empty(report))


@pytest.mark.parametrize(("converted", "told"), [
    (fails, "with batch = 0 the source runs and the converted model does not: a kernel takes no empty tensor"),
    (turned, "with batch = 0 the converted model gives a result without elements another shape"),
])  # fmt: skip
def test_what_has_no_elements_is_told(monkeypatch, converted: Change, told: str):
    report = verified(monkeypatch, model_of(), converted=converted)
    assert report.passed and not empty(report)
    assert len(report.notes) == 2 and report.notes[0].startswith(told) and "\n" not in report.notes[0]


def test_another_shape_of_the_source_is_told(monkeypatch):
    report = verified(monkeypatch, model_of(), source=turned)
    assert report.passed and not empty(report)
    assert report.notes[0].startswith("with batch = 0 the source gives another shape than its import: output is [")


def test_a_number_made_of_nothing_is_judged(monkeypatch):
    """A sum over no rows has elements."""
    wrong = verified(monkeypatch, model_of("sum"), converted=lambda found: {n: a + 1 for n, a in found.items()})
    assert wrong.verdict == "mismatch"
    assert verified(monkeypatch, model_of("sum")).passed


def test_what_the_source_or_the_model_does_not_take_is_left_out(monkeypatch):
    assert verified(monkeypatch, model_of(), source=fails).passed
    assert not empty(verified(monkeypatch, model_of(), source=fails))
    (tried,) = empty(verified(monkeypatch, model_of("max")))
    assert tried.endswith(", 0]"), "there is no largest of no rows"


def test_assumptions_of_the_import_hold(monkeypatch):
    model = model_of()
    model.assumptions += (Assumption(symbol("batch"), 2 * symbol("length"), ""),)
    report = verified(monkeypatch, model)
    assert report.passed and set(empty(report)) == {"float32[0, 0]"}
    model = model_of(sizes=(symbol("batch"), 3))
    model.assumptions += (Assumption(symbol("batch"), 4, ""),)
    assert not empty(verified(monkeypatch, model))


def test_sizes_that_are_divided_by_others(monkeypatch):
    model = model_of()
    share = floordiv(6 * symbol("batch"), symbol("length"))
    model.assumptions += (Assumption(dim_min(share, 1), 1, ""),)
    assert not empty(verified(monkeypatch, model))


def test_inputs_of_the_user_are_no_reason_to_leave_it(monkeypatch):
    model = model_of()
    monkeypatch.setattr(verification, "source_runner", lambda *_: ReferenceRunner(model, "exact"))
    with pytest.raises(UsageError):
        verify_models(Source(None, "torch", None, ImportOptions()), model, ReferenceRunner(model, "exact"), np.ones(3))
    given = np.ones((2, 3), np.float32)
    report = verify_models(Source(None, "torch", None, ImportOptions()), model, ReferenceRunner(model, "exact"), given).report
    assert len(empty(report)) == 2


def test_what_is_no_number_is_told(monkeypatch):
    """The mean of nothing is NaN in one framework and 0 in another."""
    report = verified(monkeypatch, model_of("mean"), converted=lambda found: {n: np.zeros_like(a) for n, a in found.items()})
    assert report.passed
    assert "with batch = 0 the source gives no number, and the converted model another: output" in report.notes


@pytest.mark.parametrize("framework", ["keras", "tensorflow"])
def test_what_runs_in_this_process_is_not_run_on_nothing(monkeypatch, framework: str):
    """The evaluator stands for it: numbers are judged, and nothing is said of what it would do."""
    model = model_of("sum")
    monkeypatch.setattr(verification, "source_runner", lambda *_: Changed(model, fails))
    source = Source(None, framework, None, ImportOptions())
    assert len(empty(verify_models(source, model, Changed(model, dict)).report)) == 2
    told = verify_models(source, model, Changed(model, fails)).report
    assert told.passed and not told.notes
    wrong = verify_models(source, model, Changed(model, lambda found: {n: a + 1 for n, a in found.items()})).report
    assert wrong.verdict == "mismatch"


def test_a_process_that_ends_is_told(tmp_path):
    """ONNX Runtime's LSTM does not survive an empty batch."""
    import torch

    import converter

    class Last(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = torch.nn.LSTM(3, 4, batch_first=True)

        def forward(self, x):
            return self.rnn(x)[0]

    found = converter.convert(Last().eval(), to="onnx", inputs=("float32[batch,5,3]",), output=tmp_path / "m.onnx")
    report = found.report.verification
    assert report.passed and not empty(report)
    (note,) = report.notes
    assert note.startswith("with batch = 0 the source runs and the converted model does not: the model failed: its process ended")
    again = converter.verify(tmp_path / "m.onnx", tmp_path / "m.onnx")
    assert again.passed and not empty(again) and not again.notes


def test_a_model_in_memory_is_written_when_it_is_run(tmp_path):
    from converter.runtimes.onnxruntime import OnnxRunner
    from tests.exporters.onnx.generated import exported

    runner = OnnxRunner(exported(model_of(), 20))
    apart = runner.apart()
    assert apart._dir is None, "static models are never run there"
    x = np.ones((0, 3), np.float32)
    for _ in range(2):
        assert apart({"x": x})["output"].shape == (0, 3)
        apart.close()
        assert apart._dir is None
