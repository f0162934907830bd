"""One case: converted by library calls, run elsewhere, compared. And many cases, on several processes."""

from __future__ import annotations

import json
import os
import select
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import converter
from converter import ConversionError
from converter.importers.onnx.tensors import read_tensor
from converter.runtimes.arrays import load_arrays, save_arrays
from ir.core import Model
from ir.eval import EvaluationError, Evaluator
from tests.exporters.keras.backends import Backend
from tests.exporters.keras.backends import PackageFailed as KerasFailed
from tests.exporters.tensorflow.process import PackageFailed, Process
from tests.suites.cases import Case, with_known_sizes
from tests.suites.compare import difference
from tests.suites.processes import spread
from tests.suites.rounding import explains
from tests.warm import start

TARGETS = ("onnx", "torch", "keras", "tensorflow", "ir")
VERDICTS = ("passed", "refused", "wrong", "crashed")
UNDECIDED = "undecided"
"""The verdict on an answer that rounding alone decides (`rounding.explains`): neither passed nor wrong."""
ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300
"""How long one case may run before it counts as crashed."""
OPSET = 20


@dataclass(frozen=True)
class Outcome:
    """`verdict` is one of VERDICTS, or UNDECIDED; `op` and `detail` say what was refused, or what went wrong. `sizes` tells that the
    case passed only with every input but its first known at conversion; `to` is the target, in files of outcomes."""

    label: str
    category: str
    verdict: str
    op: str = ""
    detail: str = ""
    sizes: bool = False
    to: str = ""


class WorkerFailed(Exception):
    """The converted model could not be run; the message is its own."""


class Worker:
    """The process in which converted models of one target run."""

    def __init__(self, to: str) -> None:
        own = Path(__file__).with_name("worker.py")
        last = ROOT / "converter/runtimes/torch_worker.py" if to == "torch" else ROOT
        with open(os.devnull, "w") as errors:
            name = "torch" if to == "torch" else "onnx"
            self.process = start(name, ["-I", str(own), to, str(last)], os.environ, errors.fileno())

    def run(
        self, artefact: Path, inputs: dict[str, np.ndarray], folder: Path, cotangent: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Outputs by name, or the gradients of inputs for a cotangent (packages only); raises WorkerFailed."""
        sent, received = folder / "in.npz", folder / "out.npz"
        save_arrays(sent, inputs)
        request = {"artefact": str(artefact), "inputs": str(sent), "outputs": str(received)}
        if cotangent is not None:
            request["cotangent"] = str(folder / "cotangent.npz")
            save_arrays(folder / "cotangent.npz", {"cotangent": cotangent})
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], SECONDS)[0]:
            self.process.kill()
            raise WorkerFailed(f"no answer in {SECONDS} s")
        answer = json.loads(self.process.stdout.readline() or '{"error": "the process ended"}')
        if "error" in answer:
            raise WorkerFailed(answer["error"])
        return load_arrays(received)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None


class PackageWorker:
    """The process in which emitted Keras packages run, on the backend of the environment, or those of TensorFlow."""

    def __init__(self, to: str) -> None:
        keras = os.environ.get("KERAS_BACKEND", "tensorflow")
        self.process: Backend | Process = Backend(keras) if to == "keras" else Process()

    def run(self, artefact: Path, inputs: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
        """Outputs by name; raises WorkerFailed."""
        try:
            return self.process.run(artefact, inputs)
        except (KerasFailed, PackageFailed, BrokenPipeError) as error:
            raise WorkerFailed(str(error)) from None
        except BaseException:  # out of time: an answer that comes late would be taken for that of the next case
            self.process.kill()
            raise

    @property
    def alive(self) -> bool:
        return self.process.alive


_WORKERS: dict[str, Any] = {}


def worker(to: str) -> Any:
    """This process's worker, started when needed."""
    if to not in _WORKERS or not _WORKERS[to].alive:
        _WORKERS[to] = PackageWorker(to) if to in ("keras", "tensorflow") else Worker(to)
    return _WORKERS[to]


def run_case(case: Case, to: str) -> Outcome:
    """Convert and compare; a case refused as it is gets a second try with its sizes known."""
    outcome = _attempt(case, case.model, to)
    if outcome.verdict != "refused" or len(case.data) != 1 or len(case.data[0][0]) < 2:
        return outcome
    again = _attempt(case, with_known_sizes(case), to)
    if again.verdict == "refused":
        return outcome
    return Outcome(case.label, case.category, again.verdict, again.op, again.detail, sizes=True)


def _attempt(case: Case, model: onnx.ModelProto, to: str) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="suite-") as name:
        try:
            verdict, problem = _compare(case, model, to, Path(name))
        except ConversionError as error:
            first = error.unsupported[0] if error.unsupported else None
            reason = (first.op, first.reason) if first else (type(error).__name__, error.message)
            return Outcome(case.label, case.category, "refused", *reason)
        except (WorkerFailed, EvaluationError) as error:
            return Outcome(case.label, case.category, "crashed", detail=str(error))
        except Exception as error:  # noqa: BLE001 - whatever the converter raises beside its own errors is a crash
            return Outcome(case.label, case.category, "crashed", detail=f"converter: {type(error).__name__}: {error}")
    return Outcome(case.label, case.category, verdict, detail=problem)


def _compare(case: Case, model: onnx.ModelProto, to: str, folder: Path) -> tuple[str, str]:
    """Convert, run every data set; the verdict, and what differs."""
    stored = {t.name for t in model.graph.initializer}
    artefact: Path | Model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = converter.load(model, framework="onnx") if to == "ir" else None
        if read is None:
            target = folder / ("model.onnx" if to == "onnx" else "model")
            artefact = converter.convert(model, to, target, framework="onnx", verify=False).path
        else:
            artefact = read
    for inputs, expected in case.data:
        first = [i.name for i in case.model.graph.input if i.name not in {t.name for t in case.model.graph.initializer}]
        given = {n: as_array(v) for n, v in zip(first, inputs) if n not in stored}
        found, wanted = list(_run(artefact, to, given, folder).values()), [as_array(want) for want in expected]
        if problem := _problem(case, found, wanted):
            own = read or converter.load(model, framework="onnx")
            decided = case.drawn or not explains(own, given, wanted, found, case.rtol, case.atol)
            return "wrong" if decided else UNDECIDED, problem
    return "passed", ""


def _problem(case: Case, found: list[np.ndarray], wanted: list[np.ndarray]) -> str:
    """In words, how results differ; of random ones only shapes and types are compared."""
    if len(found) != len(wanted):
        return f"{len(found)} outputs instead of {len(wanted)}"
    for i, (got, want) in enumerate(zip(found, wanted)):
        if case.drawn:
            if (got.shape, got.dtype) != (want.shape, want.dtype):
                return f"output {i}: {got.dtype}{got.shape} instead of {want.dtype}{want.shape}"
        elif problem := difference(got, want, case.rtol, case.atol):
            return f"output {i}: {problem}"
    return ""


def _run(artefact: Path | Model, to: str, inputs: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    if isinstance(artefact, Model):
        names = [v.name for v in artefact.graph.inputs]
        return Evaluator("exact").run(artefact, dict(zip(names, inputs.values(), strict=True)))
    return worker(to).run(artefact, named_inputs(artefact, to, inputs), folder)


def named_inputs(artefact: Path, to: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Inputs under the names the artefact has for them, in order."""
    if to in ("torch", "keras", "tensorflow"):
        names = list(json.loads((artefact / "metadata.json").read_text())["inputs"])
    else:
        names = [i.name for i in onnx.load(artefact, load_external_data=False).graph.input]
    return dict(zip(names, inputs.values(), strict=True))


def as_array(value: Any) -> np.ndarray:
    """A data set's entry: an array, or a TensorProto of a narrow type."""
    return read_tensor(value, None).numpy() if isinstance(value, onnx.TensorProto) else np.asarray(value)


_CASES: dict[str, Case] = {}
_TO = ""


def _job(label: str) -> Outcome:
    return run_case(_CASES[label], _TO)


def run_cases(cases: Sequence[Case], to: str, jobs: int = 1) -> Iterator[Outcome]:
    """Outcomes in the order of the cases."""
    global _CASES, _TO
    _CASES, _TO = {c.label: c for c in cases}, to
    yield from spread(_job, _CASES, jobs, chunk=4)
