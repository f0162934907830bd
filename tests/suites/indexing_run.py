"""One recorded indexing case along every route: from the IR's own op, a PyTorch module or an ONNX file, through the
evaluator, PyTorch source and ONNX, under both index policies."""

from __future__ import annotations

import json
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

import converter
from converter import ConversionError
from converter.exporters import onnx as to_onnx
from converter.exporters import torch as to_torch
from converter.exporters.base import ExportOptions
from converter.policies import INDEX_POLICIES, IndexPolicy
from converter.prepare import prepare
from ir.core import Builder, Leaf, Model, Parameter, Signature, copy_model
from ir.eval import EvaluationError, Evaluator
from ir.ops import get
from ir.types import type_of
from tests.ops import indexing_model
from tests.suites import indexing_onnx, indexing_torch
from tests.suites.running import WorkerFailed, named_inputs, worker

Arrays = dict[str, np.ndarray]
FILE = Path(__file__).resolve().parents[1] / "ops" / "data" / "indexing_cases.json"
SOURCES = ("ir", "torch", "onnx")
TARGETS = ("ir", "torch", "onnx")
VERDICTS = ("passed", "noted", "refused", "wrong", "crashed")
ACCUMULATING = ("scatter_elements", "scatter_nd", "segment_reduce", "index_put")
STRICT = "--index-policy strict"
"""What a note says that tells of a difference."""


@dataclass(frozen=True)
class Outcome:
    """`verdict` is one of VERDICTS; the evaluator has no policy."""

    case: str
    source: str
    to: str
    policy: str
    verdict: str
    detail: str = ""

    @property
    def route(self) -> str:
        """`torch to onnx, strict`."""
        return f"{self.source} to {self.to}" + (f", {self.policy}" if self.policy else "")


class Differs(Exception):
    """An answer that is not the expected one."""


class Missed(Exception):
    """No error where one is expected, or a gradient of the target's own."""


class Case:
    """A recorded case: operands by name in the order of its op, attributes, and what is expected."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.name, self.op = record["name"], record["op"]
        self.error: str | None = record["expected"].get("error")
        self.record, self.tolerance = record, record["tolerance"]
        operands, self.attrs = indexing_model.arguments(record)
        names = [o.name for o in get(self.op).operands]
        self.operands = {k: operands[k] for k in names if k in operands}
        self.inputs: Arrays = {}
        for key, value in self.operands.items():
            many = {f"{key}{i}": v for i, v in enumerate(value)} if isinstance(value, tuple) else {key: value}
            self.inputs |= {k: np.array(v) for k, v in many.items()}

    @property
    def output(self) -> np.ndarray:
        """The expected result."""
        return indexing_model.array(self.record["expected"]["output"])

    @property
    def gradients(self) -> Arrays:
        """The listed gradients by operand; empty where none are."""
        listed = self.record.get("grad", {"wrt": {}})["wrt"]
        rename = {"data": "x"} if "x" in self.inputs else {}
        return {rename.get(k, k): indexing_model.array(v) for k, v in listed.items()}

    @property
    def cotangent(self) -> np.ndarray:
        """What the listed gradients are for."""
        return indexing_model.array(self.record["grad"]["cotangent"])

    def differs(self, got: np.ndarray) -> str:
        """In words, how a result differs; empty when it does not."""
        want = self.output
        if got.dtype != want.dtype or got.shape != want.shape:
            return f"{got.dtype}{list(got.shape)} instead of {want.dtype}{list(want.shape)}"
        slack = self.tolerance if want.dtype.kind == "f" and self.op in ACCUMULATING else 0
        equal = np.isclose(got, want, slack, slack, equal_nan=True) if want.dtype.kind == "f" else got == want
        return "" if np.all(equal) else f"{got.tolist()} instead of {want.tolist()}"


def cases() -> dict[str, Case]:
    """All of them, by name."""
    return {r["name"]: Case(r) for r in json.loads(FILE.read_text("utf-8"))["cases"]}


# -- errors -----------------------------------------------------------------------------------------------------------
_KINDS = {
    "dtype": r"dtypes? (must )?match|destination dtypes|must be index|used as indices must be|bound to different types|Type 'tensor",
    "attr": r"\bstep\b",
    "axis": r"Dimension out of range|axis -?\d+ is out of range for rank|HandleNegativeAxis|not a valid axis",
    "index": r"out of (data )?bounds|out of range|invalid indi?ce|invalid index|indices into an axis of size 0|"
    r"indices\[.*\] = .* (is not in|does not index)",
    "shape": r"shape|sizes? |broadcast|number of dimensions|too many indices|too long|values for \d+ places|batch size|"
    r"Rank of|have rank|dimensions differ",
}
"""What the messages of an error of each kind have in common, in the order in which they are asked."""


def kind_of(text: str) -> str:
    """The kind of an error by its message, whoever raised it; empty when none fits."""
    return next((kind for kind, words in _KINDS.items() if re.search(words, text, re.IGNORECASE)), "")


# -- sources ----------------------------------------------------------------------------------------------------------
def sources(case: Case) -> Iterator[tuple[str, Callable[[], Model], Callable[[], np.ndarray] | None]]:
    """Each source that can say the case: how it is read, and what its own framework answers."""
    yield "ir", lambda: ir_model(case), None
    module = indexing_torch.Spelled(case.op, case.attrs)
    tensors = tuple(torch.from_numpy(v) for v in case.inputs.values())
    yield "torch", lambda: converter.load(module, (tensors,), framework="torch"), lambda: module(tensors).numpy()
    try:
        kind = next(iter(case.inputs.values())).dtype if case.error else case.output.dtype
        file = indexing_onnx.written(case.op, case.attrs, case.inputs, kind)
    except indexing_onnx.Inexpressible:
        return
    yield "onnx", lambda: converter.load(file, framework="onnx"), lambda: onnx_answer(case, file.SerializeToString())


def ir_model(case: Case) -> Model:
    """A model of the canonical op; raises what the op's inference raises."""
    names = list(case.inputs)
    model = Model("case", Signature(tuple(Parameter(n, Leaf(n)) for n in names), Leaf("output")))
    values = {n: model.graph.add_input(type_of(v), n) for n, v in case.inputs.items()}
    given = {
        k: tuple(values[f"{k}{i}"] for i in range(len(v))) if isinstance(v, tuple) else values[k]
        for k, v in case.operands.items()
    }
    model.graph.set_outputs([Builder(model.graph).op(get(case.op), **given, **case.attrs)])
    return model


def onnx_answer(case: Case, file: bytes) -> np.ndarray:
    """ONNX Runtime's own."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return session.run(None, case.inputs)[0]  # type: ignore[no-any-return]


def torch_gradients(case: Case) -> Arrays:
    """PyTorch's own gradients of the spelled case."""
    tensors = {k: torch.from_numpy(v).requires_grad_(v.dtype.kind == "f") for k, v in case.inputs.items()}
    out = indexing_torch.Spelled(case.op, case.attrs)(tuple(tensors.values()))
    out.backward(torch.from_numpy(case.cotangent))
    return {k: np.asarray(v.grad) for k, v in tensors.items() if v.grad is not None}


# -- one case ---------------------------------------------------------------------------------------------------------
def run_case(case: Case, chosen: tuple[str, ...] = SOURCES) -> list[Outcome]:
    """Every route of one case from the sources chosen."""
    found = []
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="indexing-") as folder:
        warnings.simplefilter("ignore")
        for source, read, native in sources(case):
            if source in chosen:
                found += _from(case, source, read, native, Path(folder))
    return found


def _from(case: Case, source: str, read: Any, native: Any, folder: Path) -> list[Outcome]:
    def outcome(to: str, policy: str, verdict: tuple[str, str]) -> Outcome:
        return Outcome(case.name, source, to, policy, *verdict)

    routes = [("ir", ""), *((to, policy) for to in TARGETS[1:] for policy in INDEX_POLICIES)]
    spelled = ("passed", "") if native is None else _judged(lambda: _expected(case, native()), case)
    if spelled[0] != "passed":
        return [outcome(to, policy, ("wrong", f"the spelling itself: {spelled[1]}")) for to, policy in routes]
    models: list[Model] = []
    verdict = _judged(lambda: models.append(read()), case, reading=True)
    if not models:
        return [outcome(to, policy, verdict) for to, policy in routes]
    found = []
    for number, (to, policy) in enumerate(routes):
        place = folder / f"{source}{number}"
        place.mkdir()
        found.append(outcome(to, policy, _answer(case, source, models[0], to, policy, place)))
    return found


def _answer(case: Case, source: str, model: Model, to: str, policy: str, folder: Path) -> tuple[str, str]:
    """Verdict and detail of one route."""
    if to == "ir":
        return _judged(lambda: _evaluated(case, source, model), case)
    notes: list[str] = []
    verdict = _judged(lambda: _exported(case, source, model, to, policy, folder, notes), case)  # type: ignore[arg-type]
    told = [n for n in notes if STRICT in n]
    if verdict[0] == "missed":
        return ("noted", told[0]) if told and policy == "source" else ("wrong", verdict[1])
    return verdict


def _judged(work: Callable[[], Any], case: Case, reading: bool = False) -> tuple[str, str]:
    """How a piece of work ends: an error passes where the case expects one of that kind."""
    try:
        work()
    except Missed as error:
        return "missed", str(error)
    except Differs as error:
        return "wrong", str(error)
    except ConversionError as error:
        text = str(error)
        refused = not case.error or not reading
        if refused or error.message.startswith("internal"):
            return ("refused" if refused else "crashed"), text
        return _of_kind(case, kind_of(text), text)
    except (WorkerFailed, EvaluationError) as error:
        text = f"{error}: {error.__cause__}"
        return _of_kind(case, kind_of(text), text) if case.error else ("crashed", text)
    except Exception as error:  # noqa: BLE001 - frameworks raise errors of every class where a case expects one
        text = f"{type(error).__name__}: {error}"
        if not case.error:
            return "crashed", text
        return _of_kind(case, getattr(error, "kind", kind_of(text)), text)
    return "passed", ""


def _of_kind(case: Case, kind: str, text: str) -> tuple[str, str]:
    return ("passed", "") if kind == case.error else ("wrong", f"an error of kind {kind!r}, not {case.error!r}: {text}")


def _expected(case: Case, got: np.ndarray) -> None:
    """Raise Missed where the case expects an error, Differs where it expects another result."""
    if case.error:
        raise Missed(f"no error of kind {case.error}, but {got.tolist()}")
    if problem := case.differs(got):
        raise Differs(problem)


def _evaluated(case: Case, source: str, model: Model) -> None:
    feeds = dict(zip([v.name for v in model.graph.inputs], case.inputs.values(), strict=True))
    (out,) = Evaluator("exact").run(model, feeds).values()
    _expected(case, out)
    if source == "ir" and case.gradients:
        op = get(case.op)
        same_gradients(case.gradients, op.vjp(case.cotangent, **case.operands, **op.complete(case.attrs)))


def _exported(
    case: Case, source: str, model: Model, to: str, policy: IndexPolicy, folder: Path, notes: list[str]
) -> None:  # fmt: skip
    model = copy_model(model)
    prepare(model)
    artefact = folder / ("model.onnx" if to == "onnx" else "model")
    (to_onnx if to == "onnx" else to_torch).write(model, artefact, ExportOptions(index_policy=policy))
    notes += model.notes
    given = named_inputs(artefact, to, case.inputs)
    (out,) = worker(to).run(artefact, given, folder).values()
    _expected(case, out)
    if to == "torch" and case.gradients:
        got = worker(to).run(artefact, given, folder, case.cotangent)
        back = dict(zip(given, case.inputs, strict=True))
        own = source == "torch" and policy == "source"
        same_gradients(torch_gradients(case) if own else case.gradients, {back[k]: v for k, v in got.items()})


def same_gradients(want: Arrays, got: Mapping[str, np.ndarray]) -> None:
    """Raise Missed where a gradient is another: a value is right, so a note may tell."""
    for name, value in want.items():
        if got[name].shape != value.shape or not np.allclose(got[name], value, 1e-9, 1e-9):
            raise Missed(f"gradient of {name}: {got[name].tolist()} instead of {value.tolist()}")
