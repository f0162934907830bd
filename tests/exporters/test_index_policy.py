"""Under the strict index policy every sample of the indexing ops keeps its result, and every error its kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ir.ops
from converter.errors import ConversionError
from converter.exporters import onnx, torch
from converter.exporters.base import ExportOptions
from converter.runtimes.base import RuntimeFailure
from converter.runtimes.onnxruntime import OnnxRunner
from ir.core import Builder, Leaf, Model, Parameter, Signature
from ir.eval import Evaluator
from ir.ops.sampler import Sample
from ir.types import TensorType, dtypes, symbol, type_of
from tests.exporters.torch import package
from tests.ops.harness import assert_close, cases_of, model_of, tolerance

Arrays = dict[str, np.ndarray]
Run = Callable[[Model, Arrays, Path], Arrays]
STRICT = ExportOptions(index_policy="strict")
OPS = (
    "gather", "gather_elements", "gather_nd", "scatter_elements", "scatter_nd", "index_get", "index_put", "embedding", "one_hot",
    "mask_scatter", "segment_reduce", "dynamic_slice", "dynamic_update_slice",
)  # fmt: skip
REFUSED = {"onnx": {("dynamic_slice", "empty block")}, "torch": {("index_put", "mask")}}
"""Refused under any policy: a block without positions to check, masks of unnamed count mixed with numbers."""


def run_onnx(model: Model, given: Arrays, folder: Path) -> Arrays:
    onnx.write(model, folder / "model.onnx", STRICT)
    return OnnxRunner(folder / "model.onnx")(given)


def run_torch(model: Model, given: Arrays, folder: Path) -> Arrays:
    torch.write(model, folder, STRICT)
    return package.run(package.load(folder).load_model(), model, given)


RUNS: dict[str, Run] = {"onnx": run_onnx, "torch": run_torch}


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("to", RUNS)
def test_results_stay(to: str, name: str, tmp_path: Path) -> None:
    refused = set()
    for i, (label, op, sample) in enumerate(cases_of(ir.ops.get(name), dtypes.float32)):
        model, given = model_of(op, sample)
        want = Evaluator("exact").run(model, given)
        (folder := tmp_path / str(i)).mkdir()
        try:
            got = RUNS[to](model, given, folder)
        except ConversionError:
            refused.add((name, sample.name))
            continue
        _same(label, sample, want, got)
    assert refused == {r for r in REFUSED[to] if r[0] == name}


def _same(label: str, sample: Sample, want: Arrays, got: Arrays) -> None:
    for key, value in want.items():
        assert got[key].dtype == value.dtype and got[key].shape == value.shape, label
        kind = dtypes.dtype(value.dtype)
        assert_close(got[key], value, kind, max(tolerance(kind), sample.rtol or 0) if kind.is_float else None)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("to", RUNS)
def test_errors_stay(to: str, name: str, tmp_path: Path) -> None:
    seen = 0
    for i, (_, op, sample) in enumerate(cases_of(ir.ops.get(name), dtypes.float32, errors=True)):
        try:
            model, given = model_of(op, sample)
        except (TypeError, ValueError, IndexError):
            continue  # a mistake that is found before there is a model
        seen += 1
        (folder := tmp_path / str(i)).mkdir()
        with pytest.raises((IndexError, RuntimeError, ValueError, RuntimeFailure), match=_WORDS):
            RUNS[to](model, given, folder)
    assert seen


_WORDS = "(?i)out of (data )?bounds|out of range|does not fit|invalid indi?ce|invalid index|non-negative|smaller than|places|updates"


@pytest.mark.parametrize("to", RUNS)
@pytest.mark.parametrize("form", ["scatter_elements", "scatter_nd"])
def test_the_last_of_many_writes_remains_whatever_the_sizes(to: str, form: str, tmp_path: Path) -> None:
    names = ("data", "rows", "new")
    model, b = _model(*names)
    n, k, w = (symbol(s) for s in "nkw")
    rows = (n, 1) if form == "scatter_nd" else (n, w)
    kinds = (dtypes.float32, dtypes.int64, dtypes.float32)
    shapes = ((k, w), rows, (n, w))
    values = [model.graph.add_input(TensorType(t, s), name) for t, s, name in zip(kinds, shapes, names, strict=True)]
    model.graph.set_outputs([b.op(ir.ops.get(form), **dict(zip(("data", "indices", "updates"), values, strict=True)))])
    rng = np.random.default_rng(0)
    for i, (count, places, width) in enumerate(((20, 3, 2), (3, 20, 1), (4000, 2, 3))):
        at = rng.integers(-places, places, (count, 1 if form == "scatter_nd" else width))
        new = rng.random((count, width), np.float32)
        given = {"data": np.zeros((places, width), np.float32), "rows": at, "new": new}
        want = Evaluator("exact").run(model, given)
        (folder := tmp_path / str(i)).mkdir()
        np.testing.assert_array_equal(RUNS[to](model, given, folder)["output"], want["output"])


def test_onnx_adds_up_repeated_index_vectors_in_order(tmp_path: Path) -> None:
    """ONNX Runtime's ScatterND combines in several threads and loses updates: nothing may be written that way."""
    rng = np.random.default_rng(0)
    count, places = 300_000, 50
    for reduction, combine in (("add", np.add), ("max", np.maximum), ("min", np.minimum), ("mul", np.multiply)):
        model, b = _model("data", "rows", "new")
        given = {
            "data": np.ones((places, 1), np.int64), "rows": rng.integers(0, places, (count, 1)),
            "new": rng.choice([-1, 1], (count, 1)) if reduction == "mul" else rng.integers(-(10**6), 10**6, (count, 1)),
        }  # fmt: skip
        values = {k: model.graph.add_input(type_of(v), k) for k, v in given.items()}
        model.graph.set_outputs([b.scatter_nd(values["data"], values["rows"], values["new"], reduction=reduction)])
        want = given["data"].copy()
        combine.at(want, given["rows"][:, 0], given["new"])
        (folder := tmp_path / reduction).mkdir()
        onnx.write(model, folder / "model.onnx")
        kinds = {n.op_type for n in onnx.load(folder / "model.onnx").graph.node}
        assert "ScatterND" not in kinds, kinds
        np.testing.assert_array_equal(OnnxRunner(folder / "model.onnx")(given)["output"], want)


def _model(*inputs: str) -> tuple[Model, Builder]:
    model = Model("net", Signature(tuple(Parameter(n, Leaf(n)) for n in inputs), Leaf("output")))
    return model, Builder(model.graph)
