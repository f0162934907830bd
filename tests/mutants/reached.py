"""Which tests run which lines, and the order in which they are run for a mutant."""

from __future__ import annotations

import functools
import hashlib
import pickle
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.areas import ROOT
from tests.mutants.marks import Marks
from tests.mutants.plant import Live
from tests.mutants.reach import Lines
from tests.mutants.session import clear_caches, failed, in_children

READ = ("ir", "converter", "tests")
"""Folders whose files decide which lines a test runs."""
TOGETHER = 200
"""Tests that one process runs."""


@dataclass
class Reached:
    """By test: the lines it runs and its seconds. `broken`: tests that fail without any fault, which judge nothing."""

    lines: dict[int, Lines] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    broken: list[int] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)

    def tests_of(self, file: str, first: int, last: int) -> list[int]:
        """Tests that run one of the lines, cheapest first."""
        wanted = {(file, line) for line in range(first, last + 1)}
        return sorted(
            (i for i, lines in self.lines.items() if not wanted.isdisjoint(lines)), key=lambda i: self.seconds[i]
        )


def reach(items: Sequence[pytest.Item], files: Sequence[str], live: Live, jobs: int) -> Reached:
    """Run every test once, in forked processes, and record the lines of the files that it runs."""
    whole = Reached()
    count = max(jobs, -(-len(items) // TOGETHER))
    parts = [range(k, len(items), count) for k in range(count)]
    tasks = [functools.partial(_reach, items, part, files, live) for part in parts]
    same: dict[tuple[str, int], tuple[str, int]] = {}
    for part in in_children(tasks, jobs, 3600, die="the tests do not survive a run without any fault"):
        whole.lines.update({i: {same.setdefault(line, line) for line in lines} for i, lines in part.lines.items()})
        whole.seconds.update(part.seconds)
        whole.broken += part.broken
        whole.modules |= part.modules
        print(f"  {len(whole.seconds)} of {len(items)} tests have run", file=sys.stderr, flush=True)
    return whole


def _reach(items: Sequence[pytest.Item], chosen: Iterable[int], files: Sequence[str], live: Live) -> Reached:
    found, marks = Reached(), Marks(files, live)
    for i in chosen:
        clear_caches()
        marks.take()
        started = time.perf_counter()
        bad = failed(items[i])
        found.seconds[i] = time.perf_counter() - started
        if bad:
            found.broken.append(i)
        else:
            found.lines[i] = marks.take()
    found.modules = set(sys.modules)
    return found


def kept_reach(file: Path | None, items: Sequence[pytest.Item], files: Sequence[str], live: Live, jobs: int) -> Reached:
    """What an earlier run of the same tests on the same sources wrote into the file, else a new run, which is written."""
    if file is None:
        return reach(items, files, live, jobs)
    key = (sources_digest(), tuple(files), tuple(item.nodeid for item in items))
    if file.exists():
        before, found = pickle.loads(file.read_bytes())
        if before == key:
            return found
    found = reach(items, files, live, jobs)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps((key, found)))
    return found


def sources_digest() -> str:
    """Of everything that decides which lines a test runs; the engine itself does not."""
    found = hashlib.sha256()
    for folder in READ:
        for path in sorted(p for end in ("py", "json", "txt") for p in (ROOT / folder).rglob(f"*.{end}")):
            if path.parent != Path(__file__).parent:
                found.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


class Order:
    """The tests of a mutant: first those that noticed others of its function, then one of each kind, cheapest first."""

    def __init__(self, kinds: Sequence[str], seconds: dict[int, float]) -> None:
        self.kinds = kinds
        self.cost = {i: s + 0.02 for i, s in seconds.items()}  # starting one is not free
        self.noticed: defaultdict[Any, Counter[int]] = defaultdict(Counter)

    def of(self, place: Any, tests: Collection[int]) -> list[int]:
        """The tests in order for a mutant of this function."""
        found = self.noticed[place]
        rest = sorted((i for i in tests if i not in found), key=self.cost.__getitem__)
        kinds: Counter[str] = Counter()
        ranked = []
        for i in rest:
            kinds[self.kinds[i]] += 1
            ranked.append((kinds[self.kinds[i]] * self.cost[i], i))
        likely = sorted((i for i in tests if i in found), key=lambda i: -found[i] / self.cost[i])
        return [*likely, *(i for _, i in sorted(ranked))]

    def tell(self, place: Any, test: int) -> None:
        """The test noticed a mutant of this function."""
        self.noticed[place][test] += 1


def kind_of(nodeid: str) -> str:
    """The test function and, of its parameters, the first word: cases of one op are alike."""
    return nodeid.partition("-")[0]
