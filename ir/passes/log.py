"""What the passes did and declined to do, as data: for `isomorph trace`, for tests, and for bug reports."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

from ir.core.origin import Origin


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One edit: the pass and rule that made it, why it is right, the node it replaced and where that came from."""

    pass_name: str
    rule: str
    reason: str
    node: str
    origin: Origin = field(default_factory=Origin)

    def __str__(self) -> str:
        return f"{self.pass_name}/{self.rule}: {self.node}: {self.reason} ({self.origin})"


@dataclass(frozen=True, slots=True)
class Miss(Rewrite):
    """A rule that recognised a node and left it: `reason` says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One run of one pass."""

    pass_name: str
    round: int
    changed: bool
    seconds: float
    nodes: tuple[int, int]  # before, after
    diff: str = ""


@dataclass
class Log:
    """Everything recorded during a run of passes."""

    steps: list[Step] = field(default_factory=list)
    rewrites: list[Rewrite] = field(default_factory=list)
    misses: list[Miss] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Number of rewrites by `pass/rule`, most frequent first."""
        return dict(Counter(f"{r.pass_name}/{r.rule}" for r in self.rewrites).most_common())

    def __str__(self) -> str:
        lines = [
            f"{s.pass_name:14} round {s.round}  {s.nodes[0]} -> {s.nodes[1]} nodes  {s.seconds * 1e3:.1f} ms"
            for s in self.steps
        ]
        return "\n".join([*lines, *(f"{n:5} {name}" for name, n in self.counts().items())])


_LOG: ContextVar[Log | None] = ContextVar("pass log", default=None)


@contextlib.contextmanager
def recording(log: Log | None = None) -> Iterator[Log]:
    """Collect what passes do inside the block."""
    target = Log() if log is None else log
    token = _LOG.set(target)
    try:
        yield target
    finally:
        _LOG.reset(token)


def record(entry: Rewrite) -> None:
    """Add a rewrite or a miss to the current log, if one is being kept."""
    log = _LOG.get()
    if log is None:
        return
    if isinstance(entry, Miss):
        log.misses.append(entry)
    else:
        log.rewrites.append(entry)
