"""Running passes in order: by their constraints, to a fixpoint where asked, verified, timed and logged."""

from __future__ import annotations

import difflib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ir.core.model import Model
from ir.core.walk import walk
from ir.passes.base import Pass
from ir.passes.infer_types import keep_assumptions
from ir.passes.log import Log, Step, recording
from ir.text.printer import format_model
from ir.types.dim import recording_assumptions
from ir.verify import check


class PassError(RuntimeError):
    """A pass broke its contract, or passes do not come to rest."""


@dataclass(frozen=True)
class Pipeline:
    """Passes and how to run them.

    `fixpoint` repeats the whole sequence until a round changes nothing; `debug` verifies the model before the first
    and after every pass; `diff` keeps the difference that each pass makes to the text form. Size equalities that new
    nodes take for granted become assumptions of the model.
    """

    passes: tuple[Pass, ...]
    fixpoint: bool = False
    debug: bool = False
    diff: bool = False
    max_rounds: int = 30

    def run(self, model: Model, log: Log | None = None) -> Log:
        """Run all passes on the model in place.

        Raises PassError when a pre- or postcondition fails or the fixpoint is not reached, and InvalidModel (debug)
        naming the pass that broke an invariant.
        """
        ordered = order(self.passes)
        if self.debug:
            check(model, "before the first pass")
        with recording(log) as kept:
            for n in range(1, self.max_rounds + 1):
                changed = [p.name for p in ordered if self._step(p, model, n, kept)]
                if not (self.fixpoint and changed):
                    return kept
        raise PassError(f"no fixpoint after {self.max_rounds} rounds; still changing: {', '.join(changed)}")

    def _step(self, item: Pass, model: Model, round: int, log: Log) -> bool:
        _demand(item, "requires", list(item.requires(model)))
        before = format_model(model, origins=False) if self.diff else ""
        size, started = count(model), time.perf_counter()
        with recording_assumptions() as assumed:
            changed = item.run(model)
        changed = keep_assumptions(model, assumed) or changed
        seconds = time.perf_counter() - started
        diff = _diff(before, format_model(model, origins=False)) if self.diff else ""
        log.steps.append(Step(item.name, round, changed, seconds, (size, count(model)), diff))
        if self.debug:
            check(model, f"after pass {item.name}")
        _demand(item, "ensures", list(item.ensures(model)))
        return changed


def order(passes: Sequence[Pass]) -> tuple[Pass, ...]:
    """The passes sorted by `after` and `before`, otherwise as given; raises ValueError on a cycle."""
    rest, done = list(passes), []
    while rest:
        ready = next((p for p in rest if not _waits_for(p, rest)), None)
        if ready is None:
            raise ValueError(f"the order constraints of {', '.join(p.name for p in rest)} form a cycle")
        rest.remove(ready)
        done.append(ready)
    return tuple(done)


def _waits_for(item: Pass, others: Sequence[Pass]) -> bool:
    return any(o.name in item.after or item.name in o.before for o in others if o.name != item.name)


def count(model: Model) -> int:
    """Number of nodes, bodies included."""
    return sum(1 for _ in walk(model.graph))


def _demand(item: Pass, what: str, complaints: list[str]) -> None:
    if complaints:
        raise PassError(f"pass {item.name} {what}: " + "; ".join(complaints))


def _diff(before: str, after: str) -> str:
    return "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", lineterm="", n=2))
