"""One seed through every step: the verdict, and the smallest model that shows what went wrong."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ir.text import format_model
from tests.random_graphs import stages
from tests.random_graphs.draw import MOST, Case, draw
from tests.random_graphs.level import Unfit
from tests.random_graphs.noise import Measured, measure
from tests.random_graphs.outcome import Outcome
from tests.random_graphs.shrink import described, shrink, without
from tests.random_graphs.stages import Diverged, Refused, Tally

SECONDS = 120
"""Of the processor, drawing and shrinking included."""
CUTS = 8
"""How often what a target refuses is cut out of a model before the model counts as refused."""


class TooLong(Exception):
    """A step ran out of time."""


def run_seed(seed: int, small: bool = True, most: int = MOST) -> Outcome:
    """Draw, measure, and go through every step. `small` shrinks the model of a failure; `most` as in `draw`."""
    outcome = Outcome(seed)
    previous = signal.signal(signal.SIGPROF, _out_of_time)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _run(draw(seed, most), outcome, small)
    except TooLong as error:
        outcome.count("crashed", "time", str(error))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)
    return outcome


def _out_of_time(*_: Any) -> None:
    raise TooLong(f"no result in {SECONDS} s")


def _run(case: Case, outcome: Outcome, small: bool) -> None:
    outcome.nodes = sum(1 for _ in case.model.nodes())
    try:
        measured = measure(case)
    except Unfit as reason:
        outcome.count("ill-conditioned", "measure", str(reason))
        return
    finally:
        outcome.dropped = dict(case.dropped)
    for name, step in (*_inner_steps(measured), ("onnx", _onnx), ("torch", _torch)):
        _go(name, step, measured, outcome, small)


Step = Callable[[Measured], "Iterator[Tally | None]"]


def _inner_steps(measured: Measured) -> Iterator[tuple[str, Step]]:
    yield "evaluate", lambda m: iter([stages.own(m)])
    yield "text", lambda m: iter([stages.printed(m)])
    for item in stages.passes(measured):
        label = item.name + getattr(item, "target", "").removeprefix("channels")
        yield f"pass {label}", lambda m, item=item: iter([stages.after_pass(m, item)])


def _onnx(measured: Measured) -> Iterator[Tally]:
    return (work() for _, work in stages.to_onnx(measured))


def _torch(measured: Measured) -> Iterator[Tally]:
    return (work() for _, work in stages.to_torch(measured))


def died(seed: int) -> Outcome:
    """The outcome of a seed that ended the process: each step in a process of its own."""
    outcome = Outcome(seed)
    measured = measure(draw(seed))
    for name, step in (("onnx", _onnx), ("torch", _torch), *_inner_steps(measured)):
        status = _apart(step, measured)
        if os.WIFSIGNALED(status):
            outcome.count("crashed", name, f"the process ended by signal {os.WTERMSIG(status)}")
            smallest = shrink(measured.case, lambda c, step=step, status=status: _apart(step, measure(c)) == status, 80)
            outcome.text = report(smallest, outcome.detail)
            return outcome
    outcome.count("crashed", "process", "it ended, but no step alone ends it")
    return outcome


def _apart(step: Step, measured: Measured) -> int:
    """The wait status of a process that runs the step."""
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            list(step(measured))
        os._exit(0)
    return os.waitpid(child, 0)[1]


def _go(name: str, step: Step, measured: Measured, outcome: Outcome, small: bool) -> None:
    """Run a step on the model, and where parts of it are refused on the rest."""
    for _ in range(CUTS):
        done = 0
        try:
            for tally in step(measured):
                done += 1
                outcome.count("ill-conditioned" if tally and tally.inconclusive else "agreed", name, _why(tally))
            return
        except Refused as error:
            for op, reason in error.reasons:
                key = f"{name}: {op}: {reason}"
                outcome.refused[key] = outcome.refused.get(key, 0) + 1
            smaller = without(measured.case, error.ops) if error.ops and not done else None
            if smaller is None or len(smaller.model.graph) >= len(measured.model.graph):
                outcome.count("refused", name, str(error))
                return
            try:
                measured = measure(smaller)
            except Unfit as reason:
                outcome.count("ill-conditioned", name, f"without what is refused: {reason}")
                return
        except TooLong:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is raised is what is looked for
            kind, text = _failure(error)
            outcome.count(kind, name, text)
            if outcome.step == name and small:
                outcome.text = explain(measured.case, step, text)
            return
    outcome.count("refused", name, "more than can be cut out")


def _why(tally: Tally | None) -> str:
    return tally.inconclusive[0] if tally and tally.inconclusive else ""


def _failure(error: Exception) -> tuple[str, str]:
    if isinstance(error, Diverged):
        return "wrong", str(error)
    return "crashed", f"{type(error).__name__}: {error}"


def explain(case: Case, step: Step, text: str) -> str:
    """The smallest model that fails in the same way, with its inputs."""
    kind = _signature(text)

    def fails(candidate: Case) -> bool:
        try:
            for _ in step(measure(candidate)):
                pass
        except TooLong:
            raise
        except (Unfit, Refused):
            return False
        except Exception as error:  # noqa: BLE001 - as above
            return _signature(_failure(error)[1]) == kind
        return False

    return report(shrink(case, fails), text)


def report(smallest: Case, text: str) -> str:
    """What is wrong, the model's text form, the values it runs on."""
    types = smallest.model.input_types
    values = [f"{n}: {described(types[n], a)}" for n, a in smallest.inputs.items()]
    values += [
        f"@{n}: {np.array2string(w.data.numpy(), threshold=40, separator=', ')}"
        for n, w in smallest.model.weights.items()
    ]
    return "\n".join([text, format_model(smallest.model), *values])


def _signature(text: str) -> str:
    """What kind of failure a message tells of, without names and numbers."""
    if text.startswith("output."):
        return "output: " + ("dtype" if "dtype" in text else "shape" if "shape" in text else "values")
    return re.sub(r"[^A-Za-z ]+", "#", text)[:45]
