"""Every op sample through the exporter and ONNX Runtime, compared with the IR's own evaluation.

`python -m tests.exporters.onnx.generated` rewrites `refusals.json`, the committed count of what is refused.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import ir.ops
from converter.errors import ConversionError
from converter.exporters.base import ExportOptions
from converter.exporters.onnx import write
from converter.runtimes.base import RuntimeFailure
from converter.runtimes.onnxruntime import OnnxRunner
from ir.core import Model
from ir.eval import Evaluator
from ir.eval.evaluator import EvaluationError
from ir.ops.define import OpDef
from ir.ops.sampler import Sample
from ir.types import DimExpr, dtypes, evaluate_dim, symbols
from tests.ops.harness import Case, assert_close, cases_of, model_of, tolerance

EXPECTED = Path(__file__).with_name("refusals.json")
ROUNDINGS = 8  # an op may become several nodes, each of which rounds
FEW = 6


@dataclass(frozen=True)
class Setting:
    """One way to go through the samples; `limit` takes that many of each op, spread over all."""

    name: str
    dtype: str = "float32"
    opset: int = 20
    dynamic: bool = False
    limit: int | None = FEW


SETTINGS = (
    Setting("default", limit=None), Setting("float64", "float64"), Setting("float16", "float16"), Setting("bfloat16", "bfloat16"),
    Setting("opset13", opset=13), Setting("opset17", opset=17), Setting("opset24", opset=24), Setting("symbolic", dynamic=True),
    *(Setting(f"opset{n}", opset=n, limit=2) for n in (14, 15, 16, 18, 19)),
)  # fmt: skip
"""The opsets are those at which a rule writes something else, and the last before."""

DEVIATIONS = {
    "argmax": "the position of an extreme among NaNs is left open (noted)",
    "argmin": "the position of an extreme among NaNs is left open (noted)",
    "reduce_max": "NaN propagates in some of ONNX Runtime's kernels and not in others (noted)",
    "reduce_min": "NaN propagates in some of ONNX Runtime's kernels and not in others (noted)",
    "max_pool": "NaN does not propagate in ONNX Runtime's pooling (noted)",
    "prelu-all_edges": "a slope of NaN or infinity at exactly 0",
    "while-size_from_the_start": "after no trip an empty result has 0 for the sizes that only a trip would tell",
}
"""Samples that ONNX Runtime answers differently, by op (only where NaN goes in) or by op and sample name."""


def chosen(op: OpDef, setting: Setting) -> tuple[Case, ...]:
    """The samples of an op under a setting: those in inference that draw nothing."""
    cases = cases_of(op, dtypes.dtype(setting.dtype))
    drawn = {c[0] for c in cases if (op.random and op.family == "creation") or c[2].attrs.get("always")}
    cases = tuple(c for c in cases if not c[2].training and c[0] not in drawn)
    if setting.limit is None or len(cases) <= setting.limit:
        return cases
    step = len(cases) / setting.limit
    return tuple(cases[int(i * step)] for i in range(setting.limit))


def exported(model: Model, opset: int) -> bytes:
    """The model as an ONNX file's bytes; raises ConversionError."""
    path = Path(_folder().name) / "model.onnx"
    path.unlink(missing_ok=True)
    write(model, path, ExportOptions(opset=opset))
    return path.read_bytes()


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """One for thousands of files, each read and written over."""
    return tempfile.TemporaryDirectory(prefix="onnx-samples-")


def deviates(op: OpDef, sample: Sample, inputs: dict[str, np.ndarray]) -> bool:
    """Whether ONNX Runtime is known to answer this sample differently."""
    if f"{op.name}-{sample.name.replace(' ', '_')}" in DEVIATIONS:
        return True
    return op.name in DEVIATIONS and any(np.isnan(a).any() for a in inputs.values() if dtypes.dtype(a.dtype).is_float)


def is_refused(case: Case, setting: Setting) -> bool:
    """Run one case; True when the exporter refuses it. Raises AssertionError where results differ."""
    _, op, sample = case
    try:
        model, inputs = model_of(op, sample, setting.dynamic and not sample.bodies)
    except (TypeError, ValueError):
        return False  # inference itself refuses these symbolic sizes
    try:
        data = exported(model, setting.opset)
    except ConversionError as error:
        assert error.unsupported, f"the exporter wrote a bad model: {error}"
        return True
    if deviates(op, sample, inputs):
        return False
    runner = OnnxRunner(data)
    compare(model, runner, inputs, sample)
    if setting.dynamic:
        other = regrown(model, inputs)
        if other is not None:
            compare(model, runner, other, sample)
    return False


def compare(model: Model, runner: Any, inputs: dict[str, np.ndarray], sample: Sample) -> None:
    """Hold ONNX Runtime's results against the exact evaluation."""
    try:
        wanted = Evaluator("exact").run(model, inputs)
    except EvaluationError:
        return
    got = runner(inputs)
    for name, kind in model.output_types.items():
        assert got[name].dtype == kind.dtype.numpy, f"{name} is {got[name].dtype}, declared {kind.dtype}"
        rtol = ROUNDINGS * (sample.rtol or tolerance(kind.dtype))
        assert_close(got[name], wanted[name], kind.dtype, rtol)


def regrown(model: Model, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """The inputs at other sizes, each symbolic one a little larger; None where nothing is symbolic."""
    names = sorted({s.name for v in model.graph.inputs for d in v.type.shape for s in symbols(d)})
    if not names:
        return None
    env = {name: int(name[1:]) * 2 for name in names}  # `n3` stands for the size 3
    shapes = {
        v.name: tuple(evaluate_dim(d, env) if isinstance(d, DimExpr) else d for d in v.type.shape)
        for v in model.graph.inputs
    }
    return {name: np.resize(array, shapes[name]) for name, array in inputs.items()}


def count_refusals() -> dict[str, dict[str, int]]:
    """How many samples of each op are refused, by setting."""
    found: dict[str, Counter[str]] = {s.name: Counter() for s in SETTINGS}
    for setting in SETTINGS:
        for op in ir.ops.all_ops():
            for case in chosen(op, setting):
                try:
                    found[setting.name][op.name] += is_refused(case, setting)
                except (AssertionError, RuntimeFailure) as error:
                    print(setting.name, case[0], error)
    return {name: {op: n for op, n in sorted(counts.items()) if n} for name, counts in found.items()}


if __name__ == "__main__":
    EXPECTED.write_text(json.dumps(count_refusals(), indent=1) + "\n", "utf-8")
