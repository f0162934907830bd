"""What every conversion does to a model, one step after another, each step's model run and judged."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import converter
from converter.errors import ConversionError, UsageError
from converter.exporters.base import ExportOptions
from converter.exporters.onnx import write
from converter.exporters.torch.package import write_package
from converter.importers.onnx import load as read_onnx
from converter.prepare import prepare
from converter.runtimes.live_torch import to_array, to_tensor
from converter.runtimes.onnxruntime import OnnxRunner
from ir.core import Model, copy_model
from ir.core.equal import models_equal
from ir.core.signature import unflatten as build
from ir.eval import Evaluator
from ir.passes import (
    Activations,
    CommonSubexpressions,
    DeadCode,
    Decompose,
    Fold,
    InferTypes,
    Linear,
    MergeWeights,
    NameWeights,
    Norms,
    Pass,
    Simplify,
    Specialize,
)
from ir.passes.layout import Relayout
from ir.text import format_model, parse
from ir.verify import check
from tests.random_graphs.noise import Measured

Runs = list[dict[str, np.ndarray]]
OPSETS = (13, 15, 17, 18, 20, 21, 24)
TORCH_AGAIN = 16
"""One model in this many goes back from PyTorch: `torch.export` takes longer than all the rest."""


class Diverged(Exception):
    """A step changed what the model answers, or broke it."""


class Refused(Exception):
    """A step cannot do the model exactly; `ops` are the ops it names (empty where it names none), `reasons` why."""

    def __init__(self, error: ConversionError) -> None:
        named = [(u.op, u.reason) for u in error.unsupported]
        self.reasons = named or [(type(error).__name__, error.message.split(";")[0][:150])]
        self.ops = {op for op, _ in named}
        super().__init__(str(self.reasons))


@dataclass
class Tally:
    """What a step found: outputs judged equal, and those of which the noise says too little."""

    equal: int = 0
    inconclusive: list[str] = field(default_factory=list)


def judged(measured: Measured, found: Runs, training: bool = False) -> Tally:
    """Raise Diverged unless every output is equal or inconclusive."""
    tally = Tally()
    names = list(measured.model.output_types)
    for result in found:
        if list(result) != names:
            raise Diverged(f"outputs {list(result)} instead of {names}")
    for output in measured.judge(found, training):
        if output.verdict == "mismatch":
            raise Diverged(f"{output.name}{' in training' if training else ''}: {output.reason} ({output.worst})")
        if output.verdict == "inconclusive":
            tally.inconclusive.append(output.reason)
        else:
            tally.equal += 1
    return tally


def evaluated(measured: Measured, model: Model, training: bool = False) -> Runs:
    """The model on every point. Each value lies in memory as in no other order: NumPy's sums depend on it."""
    settings = Evaluator("exact", training=training, replay=lambda _, results: tuple(map(_laid_out, results)))
    return [settings.run(model, p.inputs) for p in measured.points]


def _laid_out(array: np.ndarray) -> np.ndarray:
    return np.asarray(array, order="C")


def own(measured: Measured) -> Tally:
    """The exact evaluation against the reference."""
    check(measured.model)
    if measured.points[0].trained:
        judged(measured, evaluated(measured, measured.model, training=True), training=True)
    return judged(measured, evaluated(measured, measured.model))


# -- passes ---------------------------------------------------------------------------------------------------------
def passes(measured: Measured) -> list[Pass]:
    """Every pass, those that undo an op's form included."""
    sizes = tuple(measured.case.sizes.items())
    found: list[Pass] = [
        Fold(), Simplify(), CommonSubexpressions(), DeadCode(), InferTypes(), Linear(), Activations(), Norms(),
        NameWeights(), MergeWeights(), Relayout("channels_last"), Relayout("channels_first"),
        Decompose(lambda node: False),
    ]  # fmt: skip
    return [*found, Specialize(sizes)] if sizes else found


BITS = {"fold", "simplify", "cse", "dead_code", "infer_types", "name_weights", "merge_weights"}
"""Passes that keep every bit."""


def after_pass(measured: Measured, item: Pass) -> Tally | None:
    """Run a pass on a copy; None where it changed nothing."""
    model = copy_model(measured.model)
    if not item.run(model):
        return None
    check(model, item.name)
    points = measured.points[:1] if item.name == "specialize" else measured.points
    alone = Measured(measured.case, points, measured.drawn)
    if item.name in BITS:
        same_bits(evaluated(alone, model), evaluated(alone, measured.model))
        return Tally()
    if points[0].trained:
        judged(alone, evaluated(alone, model, training=True), training=True)
    return judged(alone, evaluated(alone, model))


def same_bits(found: Runs, wanted: Runs) -> None:
    """Raise Diverged unless all results are the same, every NaN counting as one."""
    for got, want in zip(found, wanted, strict=True):
        for name, array in want.items():
            other = got[name]
            if (other.dtype, other.shape) != (array.dtype, array.shape) or _bits(other) != _bits(array):
                raise Diverged(f"{name} changed its bits")


def _bits(array: np.ndarray) -> bytes:
    return np.where(array != array, np.asarray(np.nan).astype(array.dtype), array).astype(array.dtype).tobytes()


def printed(measured: Measured) -> None:
    """Printed and read back, the model is the same."""
    if not models_equal(parse(format_model(measured.model)), measured.model):
        raise Diverged("the text form reads back as another model")


def prepared(measured: Measured, target: str) -> Model:
    """The model after the passes of every conversion."""
    model = copy_model(measured.model)
    prepare(model, target=target)
    check(model, "prepare")
    judged(measured, evaluated(measured, model))
    return model


# -- ONNX -----------------------------------------------------------------------------------------------------------
def to_onnx(measured: Measured) -> Iterator[tuple[str, Callable[[], Tally]]]:
    """Write, run in ONNX Runtime, read again."""
    opset = OPSETS[measured.case.seed % len(OPSETS)]
    model = prepared(measured, "onnx")
    with tempfile.TemporaryDirectory(prefix="random-") as folder:
        path = Path(folder) / "model.onnx"
        attempt(lambda: write(model, path, ExportOptions(opset=opset)))
        data = path.read_bytes()

    def run() -> Tally:
        runner = OnnxRunner(data)
        return judged(measured, [runner(p.inputs) for p in measured.points])

    def again() -> Tally:
        back = attempt(lambda: read_onnx(data))
        check(back, "read again")
        if back.signature != measured.model.signature:
            raise Diverged("the signature changed")
        return judged(measured, evaluated(measured, back))

    yield f"onnx {opset} run", run
    yield f"onnx {opset} read again", again


def attempt(work: Callable[[], Any]) -> Any:
    """The result; a refusal becomes Refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return work()
    except UsageError:
        raise
    except ConversionError as error:
        if error.message.startswith("internal"):
            raise
        raise Refused(error) from None


# -- PyTorch --------------------------------------------------------------------------------------------------------
_NUMBER = itertools.count()


def to_torch(measured: Measured) -> Iterator[tuple[str, Callable[[], Tally]]]:
    """Write, run in both modes, export and read again."""
    model = prepared(measured, "torch")
    with tempfile.TemporaryDirectory(prefix="random-") as name:
        folder = Path(name)
        attempt(lambda: write_package(model, folder, ExportOptions()))
        module = _module(folder)
        net = module.load_model()

        def run() -> Tally:
            if measured.points[0].trained:
                trained = [_called(module.load_model().train(), measured, p.inputs) for p in measured.points]
                judged(measured, trained, training=True)
            return judged(measured, [_called(net.eval(), measured, p.inputs) for p in measured.points])

        def again() -> Tally:
            return read_back(measured, net.eval())

        yield "torch run", run
        if measured.case.seed % TORCH_AGAIN == 0:
            yield "torch read again", again


def _module(folder: Path) -> Any:
    """The imported `model.py`."""
    name = f"random_{next(_NUMBER)}"
    spec = importlib.util.spec_from_file_location(name, folder / "model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def _called(net: Any, measured: Measured, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    import torch

    leaves = {k: to_tensor(torch, v) for k, v in inputs.items()}
    args = [build(p.tree, leaves) for p in measured.model.signature.parameters]
    with torch.no_grad():
        results = net(*args)
    names = measured.model.signature.output_names
    return {n: to_array(torch, v) for n, v in zip(names, results, strict=True)}


def read_back(measured: Measured, net: Any) -> Tally:
    """The emitted module through the PyTorch importer; symbolic sizes are given as such."""
    kinds = measured.model.input_types
    specs = tuple(str(k) for k in kinds.values())
    back = attempt(lambda: converter.load(net, inputs=specs, framework="torch"))
    check(back, "read again")
    found = []
    for point in measured.points:
        feed = dict(zip(back.input_types, point.inputs.values(), strict=True))
        results = Evaluator("exact").run(back, feed)
        found.append(dict(zip(measured.model.output_types, results.values(), strict=True)))
    return judged(measured, found)
