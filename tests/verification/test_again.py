"""Second calls: a wrong update of state is found, and each framework goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import converter
from converter.verification.again import MOST
from converter.verification.run import CASES, random_outputs
from ir.core import Builder, Leaf, Model, Parameter, Signature, Value
from ir.data import Array, Weight
from ir.types import dtypes, tensor_type
from tests.regressions.test_torch_state import Fibonacci, X
from tests.verification.test_verify import compare

Update = Callable[[Builder, Value, Value], Value]
"""The next state, of the state and the input."""


def model_of(update: Update, dtype: str = "float32") -> Model:
    """The sum of the input and the state, which moves on."""
    model = Model("sum", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(tensor_type(dtype, 3), "x")
    held = dtypes.dtype(dtype).numpy.type([1, 2, 4])
    state = model.add_weight(Weight("state", Array(held), kind="buffer"))
    b = Builder(model.graph)
    model.graph.set_outputs([b.add(x, state)])
    model.set_state("state", update(b, state, x))
    return model


UPDATES: dict[str, Update] = {
    "sum": lambda b, s, x: b.add(s, x),
    "twice the input": lambda b, s, x: b.add(s, b.add(x, x)),
    "the input": lambda b, s, x: x,
    "turned": lambda b, s, x: b.flip(b.add(s, x), axes=(0,)),
    "none": lambda b, s, x: s,
}


@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("wrong", [name for name in UPDATES if name != "sum"])
def test_a_wrong_update_is_a_mismatch(wrong: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = model_of(UPDATES["sum"], dtype)
    assert compare(source, model_of(UPDATES["sum"], dtype), monkeypatch=monkeypatch).passed
    report = compare(source, model_of(UPDATES[wrong], dtype), monkeypatch=monkeypatch)
    (found,) = report.outputs
    assert found.verdict == "mismatch"
    assert "in a second call, which begins with the state that the first left" in found.reason
    assert int(found.worst.split(",")[0].removeprefix("input ")) >= CASES
    assert len(report.cases) == CASES + MOST


def test_an_import_that_reads_an_update_wrongly_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    read, source = model_of(UPDATES["twice the input"]), model_of(UPDATES["sum"])
    report = compare(read, read, source=source, monkeypatch=monkeypatch)
    assert report.verdict == "mismatch"
    assert "the import is wrong, in a second call" in report.outputs[0].reason


def test_drawn_state_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(b: Builder, state: Value, x: Value) -> Value:
        return b.random_uniform(shape=(3,), low=0.0, high=1.0, dtype=dtypes.float32)

    model = model_of(drawn)
    assert random_outputs(model) == set()
    assert random_outputs(model, later=True) == {"output"}
    report = compare(model, model, monkeypatch=monkeypatch)
    assert report.passed
    assert report.notes == ["the state is drawn at random: only first calls are compared"]
    assert len(report.cases) == CASES


class Ring(torch.nn.Module):
    """Keeps rows in turn, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.tensor(2))
        self.register_buffer("kept", torch.zeros(3, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.kept.index_copy_(0, (self.count % 3).reshape(1), x[:1])
        self.count += 1
        return self.kept * 2 + x.sum()


ROWS = torch.arange(4.0).reshape(2, 2)


@pytest.mark.parametrize("to", ["torch", "onnx"])
@pytest.mark.parametrize("source", [
    lambda: (Fibonacci(), (X,)), lambda: (Ring(), (ROWS,)), lambda: (torch.export.export(Ring(), (ROWS,)), None),
    lambda: (torch.jit.script(Ring()), (ROWS,)),
], ids=["module", "counted", "program", "script"])  # fmt: skip
def test_frameworks_go_on_where_they_stopped(source: Callable, to: str, tmp_path: Path) -> None:
    """A program's state was not put back between calls: right conversions of it were called wrong."""
    native, inputs = source()
    live = isinstance(native, torch.nn.Module)
    before = {name: buffer.clone() for name, buffer in native.named_buffers()} if live else {}
    result = converter.convert(native, to, tmp_path / f"m.{to}", inputs)
    report = result.report.verification
    assert report.passed
    assert len(report.cases) == CASES + MOST
    for name, buffer in before.items():
        torch.testing.assert_close(dict(native.named_buffers())[name], buffer)
    assert converter.verify(native, result.path, inputs).passed
