"""The recorded indexing cases from Keras, on each backend, through the evaluator and to PyTorch and ONNX.

    python -m tests.suites.indexing_from_keras [--only REGEX] [--backend NAME]... [--update]

Every spelling of a case (`indexing_keras_source`) is a live model on a backend. What it computes there is measured first
and is what the import, and everything written from it, has to compute: where an index is out of range the three
backends mean three things, and each is followed. Fails where anything is wrong or crashes, or falls below the record.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np

import converter
from converter.errors import ConversionError
from converter.exporters import onnx as to_onnx
from converter.exporters import torch as to_torch
from converter.exporters.base import ExportOptions
from converter.policies import INDEX_POLICIES
from converter.prepare import prepare
from converter.runtimes.base import RuntimeFailure
from converter.runtimes.live_keras import LiveKerasRunner
from ir.core import Branch, Leaf, Model, Parameter, Signature, copy_model
from ir.eval import EvaluationError, Evaluator
from tests.exporters.keras.backends import BACKENDS
from tests.suites import indexing_keras_source as source
from tests.suites import indexing_page as page
from tests.suites.indexing_keras import _kind as kind_of_keras
from tests.suites.indexing_run import ACCUMULATING, STRICT, Case, Outcome, cases
from tests.suites.running import WorkerFailed, named_inputs, worker

ROOT = Path(__file__).resolve().parents[2]
WRITERS = {"torch": to_torch, "onnx": to_onnx}
ROUTES = [("ir", ""), *((to, policy) for to in WRITERS for policy in INDEX_POLICIES)]
NO_WORDS = "inexpressible"


@dataclass(frozen=True)
class Measured:
    """What Keras itself computes: an array, or an error of a kind; neither where it cannot say the case at all."""

    array: np.ndarray | None = None
    error: str = ""
    says: str = ""

    @property
    def known(self) -> bool:
        return self.array is not None or bool(self.error)


def run_case(case: Case, on: str) -> list[Outcome]:
    """Every route of every spelling of a case on the backend that runs."""
    found = []
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="indexing-keras-") as folder:
        warnings.simplefilter("ignore")
        for number, name in enumerate(source.names_of(case.op, case.attrs, case.inputs)):
            found += _spelled(case, name, on, Path(folder) / str(number))
    return found


def _spelled(case: Case, name: str, on: str, folder: Path) -> list[Outcome]:
    def outcome(to: str, policy: str, verdict: tuple[str, str]) -> Outcome:
        return Outcome(f"{case.name} by {name}", f"keras on {on}", to, policy, *verdict)

    model = source.model_of(case.op, case.attrs, name, case.inputs)
    own = measured(case, name, model)
    if not own.known:
        return [outcome("", "", (NO_WORDS, own.says))]
    if own.array is not None and (problem := _misspelled(case, name, own.array)):
        return [outcome(to, policy, ("wrong", f"the spelling itself: {problem}")) for to, policy in ROUTES]
    try:
        read = converter.load(model, (tuple(case.inputs.values()),), framework="keras")
    except ConversionError as error:
        verdict = ("passed", "") if own.error and _kind(str(error)) == own.error else ("refused", _reason(error))
        return [outcome(to, policy, verdict) for to, policy in ROUTES]
    return [outcome(*route, _verdict(case, read, own, *route, folder / "_".join(route))) for route in ROUTES]


def _reason(error: ConversionError) -> str:
    return "; ".join(dict.fromkeys(u.reason for u in error.unsupported)) or str(error)


# -- what Keras computes ------------------------------------------------------------------------------------------------
def measured(case: Case, name: str, model: Any) -> Measured:
    """Run the model itself. An error counts where the case has one, or where it is one of an index out of range."""
    try:
        return Measured(_run(case, model))
    except source.Inexpressible as error:
        return Measured(says=str(error))
    except RuntimeFailure as error:
        cause = error.__cause__
        if isinstance(cause, source.Inexpressible):
            return Measured(says=_said(cause))
        kind = _kind(f"{type(cause).__name__}: {cause}")
        if case.error or (kind == "index" and "as it is" in name):
            return Measured(error=kind or str(case.error), says=_said(cause))
        return Measured(says=f"Keras: {_said(cause)}"[:160])


def _kind(text: str) -> str:
    """As `indexing_keras` tells it; a block that does not fit its axis is a matter of positions."""
    return "index" if re.search(r"a block (of|is out of)", text) else kind_of_keras(text)


def _said(error: BaseException | None) -> str:
    """An error's own line, without the frame that Keras puts round it."""
    lines = [re.sub(r"\x1b\[\d+m", "", line).strip() for line in str(error).splitlines()]
    return next((x for x in lines if x and not x.startswith("Exception encountered")), type(error).__name__)


def _run(case: Case, model: Any) -> np.ndarray:
    from keras import ops
    from keras.src.backend import standardize_dtype

    tensors = tuple(ops.convert_to_tensor(v) for v in case.inputs.values())
    names = [f"tensors.{i}" for i in range(len(tensors))]
    described = Model(
        "case", Signature((Parameter("tensors", Branch("tuple", tuple(Leaf(n) for n in names))),), Leaf("output"))
    )  # what the runner needs to know
    kinds = [standardize_dtype(ops.convert_to_tensor(v).dtype) for v in case.inputs.values()]
    arrays = {n: v.astype(k) for n, v, k in zip(names, case.inputs.values(), kinds, strict=True)}
    from ir.types import type_of

    for n, v in arrays.items():
        described.graph.add_input(type_of(v), n)
    (out,) = LiveKerasRunner(model, described)(arrays).values()
    return out


def _misspelled(case: Case, name: str, got: np.ndarray) -> str:
    """In words, how a spelling that follows the case's bounds differs from it; empty where they are left to Keras."""
    if case.error or "as it is" in name or (case.output.dtype.kind == "f" and np.isnan(case.output).any()):
        return ""  # what extremes make of NaN is Keras' own, too
    return case.differs(got.astype(case.output.dtype))


# -- what is read and written -------------------------------------------------------------------------------------------
def _verdict(
    case: Case, read: Model, own: Measured, to: str, policy: str, folder: Path
) -> tuple[str, str]:  # fmt: skip
    model = copy_model(read)
    try:
        got = _evaluated(model, case) if to == "ir" else _written(model, case, to, policy, folder)
    except ConversionError as error:
        return "refused", _reason(error)
    except (WorkerFailed, EvaluationError) as error:
        text = f"{error}: {error.__cause__}"
        if not own.error:
            told = [n for n in model.notes if "is an error in" in n]
            return ("noted", told[0]) if told and _kind(text) == "index" else ("crashed", text)
        kind = _kind(text)
        return (
            ("passed", "") if kind == own.error else ("wrong", f"an error of kind {kind!r}, not {own.error!r}: {text}")
        )
    if own.array is None:
        own_notes = [n for n in model.notes if "in the converted model" in n]
        told = own_notes + [n for n in model.notes if STRICT in n and policy != "strict"]
        return ("noted", told[0]) if told else ("wrong", f"no error of kind {own.error}, but {got.tolist()}")
    problem = differs(case, got, own.array)
    told = [n for n in model.notes if n.startswith("NaN ")]
    if problem and told and differs(case, np.where(np.isnan(got), own.array, got), own.array) == "":
        return "noted", told[0]
    return ("wrong", problem) if problem else ("passed", "")


def differs(case: Case, got: np.ndarray, want: np.ndarray) -> str:
    """In words, how a result differs from Keras' own; sums of floats may by the case's tolerance."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return f"{got.dtype}{list(got.shape)} instead of {want.dtype}{list(want.shape)}"
    slack = max(case.tolerance, 1e-6) if want.dtype.kind == "f" and case.op in ACCUMULATING else 0
    equal = np.isclose(got, want, slack, slack, equal_nan=True) if want.dtype.kind == "f" else got == want
    return "" if np.all(equal) else f"{got.tolist()} instead of {want.tolist()}"


def _feeds(model: Model, case: Case) -> dict[str, np.ndarray]:
    """The operands as the model declares them: 32 bits on JAX."""
    pairs = zip(model.graph.inputs, case.inputs.values(), strict=True)
    return {v.name: a.astype(v.type.dtype.numpy) for v, a in pairs}


def _evaluated(model: Model, case: Case) -> np.ndarray:
    (out,) = Evaluator("exact").run(model, _feeds(model, case)).values()
    return out


def _written(model: Model, case: Case, to: str, policy: str, folder: Path) -> np.ndarray:
    folder.mkdir(parents=True)
    feeds = _feeds(model, case)
    prepare(model)
    artefact = folder / ("model.onnx" if to == "onnx" else "model")
    WRITERS[to].write(model, artefact, ExportOptions(index_policy=policy))  # type: ignore[attr-defined]
    given = named_inputs(artefact, to, feeds)
    out = worker(to).run(artefact, given, folder)
    (array,) = out.values()
    return np.asarray(array)


# -- all of them --------------------------------------------------------------------------------------------------------
def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.suites.indexing_from_keras", description=__doc__)
    parser.add_argument("--only", help="only cases whose name this regular expression finds")
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--update", action="store_true", help="record these results")
    parser.add_argument("--worker", action="store_true", help="in this process, outcomes as lines of JSON")
    options = parser.parse_args(arguments)
    if options.worker:
        for name, case in cases().items():
            if not options.only or re.search(options.only, name):
                for o in run_case(case, os.environ["KERAS_BACKEND"]):
                    print("\t" + json.dumps(asdict(o)), flush=True)
        return 0
    outcomes = [o for on in options.backend or BACKENDS for o in on_backend(on, options.only)]
    counted = [o for o in outcomes if o.verdict != NO_WORDS]
    print("\n".join(page.table(page.counted(counted))))
    bad = [o for o in counted if o.verdict in ("wrong", "crashed")]
    for o in bad:
        print(f"{o.verdict}: {o.case}, {o.route}: {o.detail}"[:600])
    for line in sorted(
        {f"{o.verdict}: {o.source}: {o.detail[:200]}" for o in outcomes if o.verdict in ("refused", NO_WORDS)}
    ):
        print(line)
    if options.only:
        shown = (o for o in outcomes if o.verdict in ("noted", "refused", NO_WORDS))
        print("\n".join(f"{o.verdict}: {o.case}, {o.route}: {o.detail[:200]}" for o in shown))
    if options.only or options.backend:
        return int(bool(bad))
    if options.update:
        page.record_keras(outcomes)
    problems = page.fallen(page.read_keras(), counted)
    print("\n".join(problems))
    return int(bool(bad or problems))


def on_backend(name: str, only: str | None = None) -> list[Outcome]:
    """Outcomes from a process of a backend's own."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.suites.indexing_from_keras", "--worker"]
    command += ["--only", only] if only else []
    done = subprocess.run(command, env={**os.environ, "KERAS_BACKEND": name}, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return [Outcome(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("\t")]


if __name__ == "__main__":
    sys.exit(main())
