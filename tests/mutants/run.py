"""Running the mutants of an area."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import random
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

from tests.mutants.areas import ROOT, Area, named
from tests.mutants.faults import Fault, faults
from tests.mutants.plant import Live, live_functions, plant, plant_at_import
from tests.mutants.reach import Lines, recording
from tests.mutants.sample_data import imported_names, sample_data
from tests.mutants.session import Reached, Session, clear_caches, failed, in_children, reach
from tests.suites.kept import keep, kept

EXPLAINED = Path(__file__).with_name("explained.txt")
LONGEST = 3600
"""Seconds for the tests of one mutant, many of which may reach a line that all ops share."""
Verdict = Literal["noticed", "survived", "unreached", "unplantable", "at import"]


@dataclass(frozen=True)
class Mutant:
    """A fault in a file. `tree` is the file's syntax tree, changed only in the process of one mutant."""

    path: Path
    fault: Fault
    tree: ast.Module = field(repr=False, compare=False)

    @property
    def key(self) -> str:
        """How `explained.txt` names it: without its line, which moves."""
        return f"{_place(self.path)} {self.fault.function or 'module'}: {self.fault.what}"

    @property
    def digest(self) -> str:
        """Of the file's text: a mutant of a file that has changed is another one."""
        return _digest(self.path)

    def __str__(self) -> str:
        f = self.fault
        return f"{_place(self.path)}:{f.line} {f.function or 'module'}: {f.what}"


@dataclass(frozen=True)
class Judged:
    """A line of the state from which a run goes on: the verdict on a mutant of a file of that text."""

    key: str
    digest: str
    verdict: Verdict


@functools.cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _place(path: Path) -> Path:
    """From the repository's root, for what lies in it."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


@dataclass
class Counts:
    """How many mutants ended how. `unreached` ones survive since no test runs their line; they count as survivors."""

    mutants: int = 0
    noticed: int = 0
    survived: int = 0
    unreached: int = 0
    explained: int = 0
    unplantable: int = 0
    seconds: float = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __str__(self) -> str:
        return (
            f"{self.mutants} mutants: {self.noticed} noticed, {self.survived} survived ({self.unreached} where no test goes), "
            f"{self.explained} survived and explained, {self.unplantable} not plantable; {self.seconds:.0f} s"
        )


def mutants_of(paths: Sequence[Path]) -> list[Mutant]:
    """Every mutant of the files, in order; what only makes the data of tests is left alone."""
    trees = {p: ast.parse(p.read_text("utf-8")) for p in paths}
    beside = {q for p in paths for q in p.parent.glob("*.py") if not q.stem.endswith("_samples")}
    others = [ast.parse(q.read_text("utf-8")) for q in sorted(beside)]
    imported = imported_names(others)
    inherited = frozenset(name for tree in others for name in sample_data(tree, imported) if name.startswith("."))
    return [
        Mutant(p, fault, tree)
        for p, tree in trees.items()
        for fault in faults(tree, sample_data(tree, imported) | inherited)
    ]


def sampled(mutants: list[Mutant], limit: int | None, seed: int) -> list[Mutant]:
    """`limit` of them by seed, in their order; all without a limit."""
    if limit is None or limit >= len(mutants):
        return mutants
    return [mutants[i] for i in sorted(random.Random(seed).sample(range(len(mutants)), limit))]


def keys_of(text: str) -> set[str]:
    """The mutants that a report lists, by key."""
    return {f"{path} {rest}" for path, rest in re.findall(r"^ *\w[\w ]*: (\S+\.py):\d+ (.+)$", text, re.MULTILINE)}


def report(area: Area, mutants: Sequence[Mutant], verdicts: Iterator[tuple[Mutant, Verdict]]) -> Counts:
    """Print survivors as they come and the counts at the end."""
    explained = {line.split("  # ")[0].strip() for line in EXPLAINED.read_text("utf-8").splitlines() if line.strip()}
    counts, started = Counts(len(mutants)), time.time()
    for i, (mutant, verdict) in enumerate(verdicts, 1):
        if verdict in ("survived", "unreached") and mutant.key in explained:
            counts.explained += 1
        elif verdict in ("survived", "unreached"):
            counts.survived += 1
            counts.unreached += verdict == "unreached"
            print(f"{verdict}: {mutant}", flush=True)
        elif verdict == "noticed":
            counts.noticed += 1
        else:
            counts.unplantable += 1
            print(f"{verdict}: {mutant}", flush=True)
        if i % 25 == 0:
            print(f"  {area.folder}: {i} of {len(mutants)}, {time.time() - started:.0f} s", file=sys.stderr, flush=True)
    counts.seconds = time.time() - started
    print(f"{area.folder}: {counts}", flush=True)
    return counts


def go_on(area: Area, mutants: Sequence[Mutant], jobs: int, state: Path | None) -> Iterator[tuple[Mutant, Verdict]]:
    """The verdicts that the state file holds, then those of the other mutants, which are added to it one by one."""
    known = {(j.key, j.digest): j.verdict for j in kept(state, Judged)}
    waiting = []
    for mutant in mutants:
        if (mutant.key, mutant.digest) in known:
            yield mutant, known[mutant.key, mutant.digest]
        else:
            waiting.append(mutant)
    if waiting:
        yield from run_area(area, waiting, jobs, lambda m, v: keep(state, Judged(m.key, m.digest, v)))


# -- an area --------------------------------------------------------------------------------------------------------
Tell = Callable[[Mutant, Verdict], None]
"""Takes a verdict as soon as it is known."""


def run_area(area: Area, mutants: Sequence[Mutant], jobs: int, tell: Tell) -> Iterator[tuple[Mutant, Verdict]]:
    """The verdict on each mutant: in order, those planted at import last.

    One forked process collects the tests and plants in live functions; what only runs at import goes through a process
    of its own that imports everything anew.
    """
    if area.before:
        named(area.before)()
    warm = next(iter(in_children([partial(_run_warm, area, mutants, jobs, tell)], 1, 24 * 3600, leaf=False)))
    if warm is None:
        raise RuntimeError(f"the tests of {area.folder} could not be run")
    verdicts, tests, known, broken = warm
    if broken:
        print(
            f"  {len(broken)} tests fail without any fault and judge nothing: {', '.join(broken[:9])}", file=sys.stderr
        )
    yield from ((m, v) for m, v in zip(mutants, verdicts, strict=True) if v != "at import")
    anew = [i for i, v in enumerate(verdicts) if v == "at import"]
    answers = in_children([partial(_run_anew, area, mutants[i], tests[i], known) for i in anew], jobs, 900)
    for i, answer in zip(anew, answers, strict=True):
        tell(mutants[i], answer or "noticed")
        yield mutants[i], answer or "noticed"


def _session(area: Area, work: Callable[[Any], Any]) -> Session:
    return Session(area.tests, work, area.takes, named(area.extra) if area.extra else tuple)


def _run_warm(
    area: Area, mutants: Sequence[Mutant], jobs: int, tell: Tell
) -> tuple[list[Verdict], dict[int, list[str]], set[str], list[str]]:
    files = sorted({str(m.path) for m in mutants})

    def work(items: Any) -> Any:
        sys.settrace(None)
        reached = reach(items, files, jobs)
        print(
            f"  {area.folder}: {len(items)} tests, {sum(reached.seconds.values()):.0f} s", file=sys.stderr, flush=True
        )
        load(reached.modules)
        live = live_functions(files)
        tasks = [partial(_judge, items, reached, imported, live, m) for m in mutants]
        verdicts = []
        for i, verdict in enumerate(in_children(tasks, jobs, LONGEST), 1):
            verdicts.append(verdict or "noticed")
            if verdicts[-1] != "at import":
                tell(mutants[i - 1], verdicts[-1])
            if verdict in ("survived", "unreached"):
                print(f"  {verdict}: {mutants[i - 1]}", file=sys.stderr, flush=True)
            if i % 25 == 0:
                print(f"  {area.folder}: {i} of {len(mutants)} planted", file=sys.stderr, flush=True)
        tests = {i: _tests_anew(items, reached, mutants[i]) for i, v in enumerate(verdicts) if v == "at import"}
        return verdicts, tests, {item.nodeid for item in items}, [items[i].nodeid for i in reached.broken]

    with recording(files) as imported:
        return _session(area, work).run()


def load(names: set[str]) -> None:
    """Import what the tests imported when they ran, so that no forked process must."""
    for name in sorted(names - set(sys.modules)):
        if name.split(".")[0] in ("ir", "converter", "torch", "onnx", "onnxruntime", "scipy", "numpy", "transformers"):
            try:
                importlib.import_module(name)
            except (ImportError, AttributeError):
                continue  # made by a test, not imported


def _judge(items: Any, reached: Reached, imported: Lines, live: Live, mutant: Mutant) -> Verdict:
    fault, file = mutant.fault, str(mutant.path)
    if fault.kind == "import":
        return "at import"
    head = fault.holders[-1]
    lines = (fault.first, fault.last) if fault.kind == "body" else (head.lineno, head.end_lineno or head.lineno)
    tests = reached.tests_of(file, *lines)
    if not tests:
        return "at import" if any((file, n) in imported for n in range(lines[0], lines[1] + 1)) else "unreached"
    if not plant(file, mutant.tree, fault, live):
        return "at import"
    clear_caches()
    return "noticed" if any(_fails(items[i], reached.seconds[i]) for i in tests) else "survived"


def _fails(item: Any, seconds: float) -> bool:
    """Whether a test fails that takes so long without a fault. A loop that never ends kills the process, which is being
    noticed: the time that counts is the processor's, as other work may hold the test up."""
    signal.setitimer(signal.ITIMER_PROF, 5 + 20 * seconds)
    return failed(item)


def _tests_anew(items: Any, reached: Reached, mutant: Mutant) -> list[str]:
    """The tests that the class reaches, else the file, else all, cheapest first."""
    file, name = str(mutant.path), mutant.fault.function.partition(".")[0]
    spans = [(n.lineno, n.end_lineno or 0) for n in mutant.tree.body if isinstance(n, ast.ClassDef) and n.name == name]
    found = [i for span in [*spans, (1, 100_000)] for i in reached.tests_of(file, *span)]
    rest = sorted(reached.lines, key=lambda i: reached.seconds[i]) if not found else []
    return [items[i].nodeid for i in dict.fromkeys([*found, *rest])]


def _run_anew(area: Area, mutant: Mutant, tests: Sequence[str], known: set[str]) -> Verdict:
    """Collect and run with the fault in the file from its import on; tests that only then exist run first."""
    plant_at_import(str(mutant.path), mutant.tree, mutant.fault)

    def work(items: Any) -> Verdict:
        by_id = {item.nodeid: item for item in items}
        chosen = [t for t in by_id if t not in known] + [t for t in tests if t in by_id]
        return "noticed" if any(failed(by_id[t]) for t in chosen) else "survived"

    return _session(area, work).run()
