"""PyTorch's operator database through import, export and the target's runtime.

    python -m tests.suites.op_db --to torch --jobs 2            compare with the recorded results
    python -m tests.suites.op_db --to torch --jobs 2 --update   record them and write docs/suites.md
    python -m tests.suites.op_db --to ir --limit 120 --list     a seeded sample, import and evaluation only

An operator passes when its first three samples do. Fails when an answer is wrong, a conversion or a converted model
crashes, fewer operators are counted than recorded, or fewer pass. `--state FILE` keeps outcomes, so that a run can go
on where another stopped.
"""

from __future__ import annotations

import argparse
import importlib
import random
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import converter
from converter import ConversionError
from converter.exporters.base import ExportOptions
from converter.importers.torch.dtypes import to_numpy
from converter.prepare import prepare
from converter.verification.free import groups, in_order
from ir.core import Model, copy_model
from ir.eval import EvaluationError, Evaluator
from tests.suites import faster_export, results
from tests.suites import op_db_cases as cases
from tests.suites.kept import keep, kept
from tests.suites.processes import spread
from tests.suites.running import VERDICTS, WorkerFailed, named_inputs, worker

TARGETS = ("torch", "onnx", "keras", "tensorflow", "ir")
SUITE = "op_db"
CATEGORY = "operators"
SECONDS = 150
"""How long one sample may run before it counts as crashed."""


@dataclass(frozen=True)
class Outcome:
    """`verdict` is one of VERDICTS; `what` and `detail` say what was refused, or what went wrong."""

    op: str
    to: str
    verdict: str
    what: str = ""
    detail: str = ""
    sample: int = 0


class TooLong(Exception):
    """A sample ran out of time."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, compare; returns the exit code."""
    options = _parser().parse_args(arguments)
    targets = tuple(options.to or TARGETS[:-1])
    chosen = choose(list(cases.entries()), options)
    known = [o for o in kept(options.state, Outcome) if o.to in targets]
    outcomes = [o for o in known if o.op in set(chosen)]
    waiting = [(name, to) for name in chosen if (to := _open(name, targets, known))]
    started = time.monotonic()
    for found in run(waiting, options.jobs):
        outcomes += found
        for outcome in found:
            _tell(outcome, options)
    print(f"{len(chosen)} operators in {time.monotonic() - started:.0f} s")
    missing = [
        f"{to}: {name}" for to in targets for name in sorted(set(chosen) - {o.op for o in outcomes if o.to == to})
    ]
    if missing:
        print("no outcome: " + ", ".join(missing))
        return 1
    return _finish(outcomes, targets, options, whole=not (options.limit or options.ops))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.suites.op_db", description="PyTorch's operator database")
    parser.add_argument("--to", action="append", choices=TARGETS, help="target; repeatable (default: all but ir)")
    parser.add_argument("--ops", help="only these operators, by comma")
    parser.add_argument("--limit", type=int, help="a seeded sample of this many operators")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="print every operator that does not pass, as it is found")
    parser.add_argument("--state", type=Path, help="a file of outcomes to go on from and to add to")
    parser.add_argument("--update", action="store_true", help="record these results")
    return parser


def choose(names: list[str], options: argparse.Namespace) -> list[str]:
    """The operators asked for."""
    if options.ops:
        wanted = options.ops.split(",")
        unknown = [w for w in wanted if w not in names]
        if unknown:
            raise SystemExit(f"no such operator: {', '.join(unknown)}")
        return wanted
    if options.limit and options.limit < len(names):
        return sorted(random.Random(options.seed).sample(names, options.limit))
    return names


def _open(name: str, targets: tuple[str, ...], known: list[Outcome]) -> tuple[str, ...]:
    done = {o.to for o in known if o.op == name}
    return tuple(t for t in targets if t not in done)


def _tell(outcome: Outcome, options: argparse.Namespace) -> None:
    if options.list and outcome.verdict != "passed":
        where = f"{outcome.op} to {outcome.to}, sample {outcome.sample}"
        print(f"{outcome.verdict:8} {where}: {outcome.what}: {outcome.detail}", flush=True)
    keep(options.state, outcome)


# -- running --------------------------------------------------------------------------------------------------------
def run(waiting: Sequence[tuple[str, tuple[str, ...]]], jobs: int) -> Iterator[list[Outcome]]:
    """Outcomes of operators, each to its targets, in no particular order when there are several jobs."""
    cases.entries()  # before the fork, so that children share it
    faster_export.install()
    yield from spread(_job, waiting, jobs, in_order=False)


def _job(item: tuple[str, tuple[str, ...]]) -> list[Outcome]:
    torch.set_num_threads(1)
    name, targets = item
    return run_op(name, cases.entries()[name], targets)


def run_op(name: str, op: Any, targets: tuple[str, ...]) -> list[Outcome]:
    """One operator: the first sample that does not pass decides, a wrong answer or a crash before a refusal."""
    found: dict[str, list[Outcome]] = {to: [] for to in targets}
    for i, applied in enumerate(cases.applications(op)):
        for to, outcome in _sample(name, applied, targets, i).items():
            found[to].append(outcome)
    if not all(found.values()):
        raise ValueError(f"{name} has no samples")
    worst = ("wrong", "crashed", "refused", "passed")
    return [min(outcomes, key=lambda o: worst.index(o.verdict)) for outcomes in found.values()]


def _sample(name: str, applied: cases.Applied, targets: tuple[str, ...], number: int) -> dict[str, Outcome]:
    previous = signal.signal(signal.SIGALRM, _out_of_time)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            verdicts = _verdicts(applied, targets)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    return {to: Outcome(name, to, *v, sample=number) for to, v in verdicts.items()}


def _out_of_time(*_: Any) -> None:
    raise TooLong(f"no result in {SECONDS} s")


def _verdicts(applied: cases.Applied, targets: tuple[str, ...]) -> dict[str, tuple[str, str, str]]:
    """Verdict, op and reason of one sample, by target."""
    want, exact = cases.expected(applied)
    if not want:
        return dict.fromkeys(targets, ("refused", "result", "it holds no tensor and no number"))
    module = cases.Applies(applied).eval()
    read: list[Model] = []

    def load() -> str:
        read.append(converter.load(module, (applied.tensors,), framework="torch"))
        return ""

    verdict = _attempt(load)
    if verdict[0] != "passed":
        return dict.fromkeys(targets, verdict)
    return {to: _attempt(lambda to=to: _answer(read[0], applied, to, want, exact)) for to in targets}


def _attempt(work: Any) -> tuple[str, str, str]:
    try:
        problem = work()
    except ConversionError as error:
        first = error.unsupported[0] if error.unsupported else None
        if error.message.startswith("internal"):
            return "crashed", "converter", error.message
        return ("refused", first.op, first.reason) if first else ("refused", type(error).__name__, error.message)
    except (WorkerFailed, EvaluationError, TooLong) as error:
        return "crashed", type(error).__name__, str(error)
    except Exception as error:  # noqa: BLE001 - whatever the converter raises beside its own errors is a crash
        return "crashed", "converter", f"{type(error).__name__}: {error}"
    return ("wrong", "", problem) if problem else ("passed", "", "")


def _answer(read: Model, applied: cases.Applied, to: str, want: list[torch.Tensor], exact: Any) -> str:
    """Export, run, and say what differs; eigenvalues, which have no order of their own, in the order wanted."""
    given = {n.name: to_numpy(x) for n, x in zip(read.graph.inputs, applied.tensors, strict=True)}
    with tempfile.TemporaryDirectory(prefix="op-db-") as name:
        found = list(_run(read, to, given, Path(name)).values())
    if len(found) != len(want):
        return f"{len(found)} outputs instead of {len(want)}"
    names, like = read.signature.output_names, [to_numpy(x) for x in want]
    turned = in_order(groups(read), dict(zip(names, found, strict=True)), dict(zip(names, like, strict=True)))
    for i, (got, own) in enumerate(zip(turned.values(), want, strict=True)):
        if problem := cases.difference(got, own, exact[i] if exact else None):
            return f"output {i}: {problem}"
    return ""


def _run(read: Model, to: str, given: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    if to == "ir":
        return Evaluator("exact").run(read, given)
    model = copy_model(read)
    prepare(model, target=to)
    artefact = folder / ("model.onnx" if to == "onnx" else "model")
    importlib.import_module(f"converter.exporters.{to}").write(model, artefact, ExportOptions())
    return worker(to).run(artefact, named_inputs(artefact, to, given), folder)


# -- results --------------------------------------------------------------------------------------------------------
def _finish(outcomes: list[Outcome], targets: tuple[str, ...], options: argparse.Namespace, whole: bool) -> int:
    failed = False
    for to in targets:
        own = [o for o in outcomes if o.to == to]
        found = summary(own)
        print(f"to {to}: " + ", ".join(f"{k} {v}" for k, v in found["counts"][CATEGORY].items()))
        for o in own:
            if o.verdict in ("wrong", "crashed"):
                failed = True
                print(f"  {o.verdict}: {o.op}, sample {o.sample}: {o.what}: {o.detail}"[:600])
        if whole and options.update:
            results.record(SUITE, to, found)
        elif whole and (problems := results.compare(SUITE, to, found)):
            failed = True
            print("\n".join(problems))
    return int(failed)


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What is recorded of a target: counts, the refused operators by reason, the entries that do not count."""
    counts = {"counted": len(outcomes), **{v: sum(o.verdict == v for o in outcomes) for v in VERDICTS}}
    refused = [o for o in outcomes if o.verdict == "refused"]
    reasons = Counter((o.what, o.detail) for o in refused)
    listed = [
        {"op": what, "reason": why, "count": n, "cases": sorted(o.op for o in refused if (o.what, o.detail) == (what, why))}
        for (what, why), n in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    ]  # fmt: skip
    left_out = {reason: list(names) for reason, names in cases.LEFT_OUT.items()}
    return {"counts": {CATEGORY: counts}, "refusals": listed, "left_out": left_out}


if __name__ == "__main__":
    sys.exit(main())
