"""Exporter and importer undo each other: a sample exported and read back evaluates to the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ir.ops
from converter.errors import ConversionError
from converter.importers.onnx import load as read
from converter.runtimes.onnxruntime import OnnxRunner
from ir.core import Model, copy_model
from ir.eval import Evaluator
from ir.eval.evaluator import EvaluationError
from ir.types import dtypes
from tests.exporters.onnx.generated import ROUNDINGS, Setting, chosen, exported
from tests.ops.harness import Case, assert_close, model_of, tolerance

PAIR = Setting("pair", limit=4)


def check(case: Case) -> None:
    """Run one case through both. Raises AssertionError where results differ, ConversionError where the importer refuses."""
    _, op, sample = case
    model, inputs = model_of(op, sample)
    try:
        data = exported(model, 20)
    except ConversionError:
        return  # counted by test_samples
    again = read(data)
    assert again.signature == model.signature
    try:
        wanted = Evaluator("exact").run(model, inputs)
    except EvaluationError:
        return
    got = Evaluator("exact").run(again, inputs)
    for name, kind in model.output_types.items():
        assert_close(got[name], wanted[name], kind.dtype, ROUNDINGS * (sample.rtol or tolerance(kind.dtype)))


@pytest.mark.parametrize("name", [op.name for op in ir.ops.all_ops() if chosen(op, PAIR)])
def test_pair(name: str) -> None:
    failures = []
    for case in chosen(ir.ops.get(name), PAIR):
        try:
            check(case)
        except (AssertionError, ConversionError, EvaluationError) as error:
            failures.append(f"{case[0]}: {error}")
    assert not failures, "\n".join(failures)


def test_half_weights_survive() -> None:
    """bfloat16 and float16 are stored as they are."""
    for kind in (dtypes.bfloat16, dtypes.float16):
        op = ir.ops.get("constant")
        sample = next(iter(op.samples(ir.ops.sampler.Sampler(0, kind))))  # type: ignore[misc]
        model, _ = model_of(op, sample)
        again = Evaluator("exact").run(read(exported(model, 20)), {})
        np.testing.assert_array_equal(
            again["output"].view(np.uint16), np.asarray(sample.attrs["value"]).view(np.uint16)
        )


@pytest.mark.parametrize("name", ["resnet50", "bert", "lstm_classifier"])
def test_zoo_keeps_weights_and_structure(name: str, tmp_path: Path) -> None:
    """torch -> ONNX -> IR: the same weights by name, kind and tie, the same signature and modules, the same numbers."""
    from converter.exporters.onnx import write
    from tests.models.zoo import imported, zoo

    model = copy_model(imported(name)[1])
    path = tmp_path / "m.onnx"
    write(model, path)
    again = read(path)
    assert again.signature == model.signature

    def records(m: Model) -> dict[str, tuple[Any, ...]]:
        return {k: (w.type, w.kind, w.trainable, w.aliases) for k, w in m.weights.items()}

    assert records(again) == records(model)
    assert {n.origin.path for n in again.nodes()} <= {n.origin.path for n in model.nodes()} | {()}
    runner = OnnxRunner(path)
    for batch, length in ((2, 7), (3, 5), (1, 9)):
        made = zoo(name).make_inputs(batch, length, 0)
        arrays = [t.numpy() for t in (made.values() if isinstance(made, dict) else made)]
        feed = dict(zip(model.input_types, arrays, strict=True))
        wanted = Evaluator().run(model, feed)
        for got in (runner(feed), Evaluator().run(again, feed)):
            for key, value in wanted.items():
                np.testing.assert_allclose(got[key], value, atol=1e-5 * np.abs(value).max())
