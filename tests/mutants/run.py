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
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

from tests.mutants.areas import ROOT, Area, named
from tests.mutants.constant import constant_of, put, readers
from tests.mutants.faults import Fault, faults
from tests.mutants.given import given_anyway
from tests.mutants.plant import Live, changed, compiled, live_functions, meaning, plant, plant_at_import
from tests.mutants.reach import Lines, recording
from tests.mutants.reached import Order, Reached, kept_reach, kind_of
from tests.mutants.sample_data import imported_names, sample_data
from tests.mutants.session import Check, Session, clear_caches, failed, in_children, settle
from tests.suites.kept import keep, kept
from tests.warm.client import server

EXPLAINED = Path(__file__).with_name("explained.txt")
CONTROLS = 40
"""Tests that are run without any fault where mutants will be, to see that none fails there."""
NO_TESTS = str(Path(__file__).with_name("importing.py"))
"""What is collected where all tests are the area's `extra` ones."""
LONGEST = 3600
"""Seconds for the tests of one mutant, many of which may reach a line that all ops share."""
Verdict = Literal["noticed", "survived", "unreached", "same code", "at import"]


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

    def code(self) -> types.CodeType:
        """The changed code of the file; only once, since the tree is changed."""
        return compiled(str(self.path), changed(self.tree, self.fault))

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
    """How many mutants ended how. `unreached` ones survive since no test runs their line; they count as survivors.

    `same` ones compile to what stands there, or leave out what an op has by default: no test could notice them.
    """

    mutants: int = 0
    noticed: int = 0
    survived: int = 0
    unreached: int = 0
    explained: int = 0
    same: int = 0
    seconds: float = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __str__(self) -> str:
        return (
            f"{self.mutants} mutants: {self.noticed} noticed, {self.survived} survived ({self.unreached} where no test goes), "
            f"{self.explained} survived and explained, {self.same} mean the same; {self.seconds:.0f} s"
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
            counts.same += 1
        if i % 25 == 0:
            print(f"  {area.folder}: {i} of {len(mutants)}, {time.time() - started:.0f} s", file=sys.stderr, flush=True)
    counts.seconds = time.time() - started
    print(f"{area.folder}: {counts}", flush=True)
    return counts


def go_on(area: Area, mutants: Sequence[Mutant], jobs: int, state: Path | None) -> Iterator[tuple[Mutant, Verdict]]:
    """The verdicts that the state file holds, then those of the other mutants, which are added to it one by one.

    What only some of the tests (`area.only`) do not notice is not added, since others may.
    """
    known = {(j.key, j.digest): j.verdict for j in kept(state, Judged)}
    waiting = []
    for mutant in mutants:
        if (mutant.key, mutant.digest) in known:
            yield mutant, known[mutant.key, mutant.digest]
        else:
            waiting.append(mutant)
    if waiting:
        kept_there = state.with_suffix(".reach") if state and not area.only else None
        reach_file = kept_there / f"{area.folder.replace('/', '.')}.pickle" if kept_there else None

        def tell(mutant: Mutant, verdict: Verdict) -> None:
            if not area.only or verdict in ("noticed", "same code"):
                keep(state, Judged(mutant.key, mutant.digest, verdict))

        yield from run_area(area, waiting, jobs, tell, reach_file)


# -- an area --------------------------------------------------------------------------------------------------------
Anew = tuple[str, str]
"""A test, by its id, that is collected anew from a file."""
Tell = Callable[[Mutant, Verdict], None]
"""Takes a verdict as soon as it is known."""


def run_area(
    area: Area, mutants: Sequence[Mutant], jobs: int, tell: Tell, reach_file: Path | None = None
) -> Iterator[tuple[Mutant, Verdict]]:
    """The verdict on each mutant: in order, those planted at import last.

    One forked process collects the tests and plants in live functions; what only runs at import goes through a process
    of its own that imports everything anew. What the tests reach is kept in a file, if one is named.
    """
    if area.before:
        named(area.before)()
    warm = next(
        iter(in_children([partial(_run_warm, area, mutants, jobs, tell, reach_file)], 1, 24 * 3600, leaf=False))
    )
    if warm is None:
        raise RuntimeError(f"the tests of {area.folder} could not be run")
    verdicts, tests, known, broken = warm
    if broken:
        print(
            f"  {len(broken)} tests fail without any fault and judge nothing: {', '.join(broken[:9])}", file=sys.stderr
        )
    yield from ((m, v) for m, v in zip(mutants, verdicts, strict=True) if v != "at import")
    anew = [i for i, v in enumerate(verdicts) if v == "at import"]
    if anew:
        _check_anew(area, tests[anew[0]], known)
    answers = in_children([partial(_run_anew, area, mutants[i], tests[i], known) for i in anew], jobs, 900)
    for i, answer in zip(anew, answers, strict=True):
        tell(mutants[i], answer or "noticed")
        yield mutants[i], answer or "noticed"


def _run_warm(
    area: Area, mutants: Sequence[Mutant], jobs: int, tell: Tell, reach_file: Path | None
) -> tuple[list[Verdict], dict[int, list[Anew]], set[str], list[str]]:
    files = sorted({str(p) for p in area.sources()} | {str(m.path) for m in mutants})

    def work(items: Any) -> Any:
        sys.settrace(None)
        for name in area.servers:
            server(name)  # each process of a mutant would start one of its own
        live = live_functions(files)
        settle()
        reached = kept_reach(reach_file, items, files, live, jobs)
        print(
            f"  {area.folder}: {len(items)} tests, {sum(reached.seconds.values()):.0f} s", file=sys.stderr, flush=True
        )
        load(reached.modules)
        bench = Bench(items, files, reached, imported, live_functions(files))
        settle()
        bench.check()
        verdicts, died = [], 0
        for i, answer in enumerate(in_children([partial(bench.judge, m) for m in mutants], jobs, LONGEST), 1):
            verdict, test = answer or ("noticed", None)
            verdicts.append(verdict)
            died += answer is None
            if test is not None:
                bench.order.tell(_function_of(mutants[i - 1]), test)
            if verdict != "at import":
                tell(mutants[i - 1], verdict)
            if verdict in ("survived", "unreached"):
                print(f"  {verdict}: {mutants[i - 1]}", file=sys.stderr, flush=True)
            if i % 25 == 0:
                print(f"  {area.folder}: {i} of {len(mutants)} planted", file=sys.stderr, flush=True)
        print(f"  {area.folder}: {died} of them ended their process, which is noticed", file=sys.stderr, flush=True)
        tests = {i: bench.tests_anew(mutants[i]) for i, v in enumerate(verdicts) if v == "at import"}
        return verdicts, tests, {item.nodeid for item in items}, [items[i].nodeid for i in reached.broken]

    with recording(files) as imported:
        more = named(area.extra)(area.takes, ahead=True) if area.extra else ()
        return Session(area.tests, work, area.takes, more).run()


def load(names: set[str]) -> None:
    """Import what the tests imported when they ran, so that no forked process must."""
    for name in sorted(names - set(sys.modules)):
        if name.split(".")[0] in ("ir", "converter", "torch", "onnx", "onnxruntime", "scipy", "numpy", "transformers"):
            try:
                importlib.import_module(name)
            except (ImportError, AttributeError):
                continue  # made by a test, not imported


def _function_of(mutant: Mutant) -> tuple[str, str]:
    return str(mutant.path), mutant.fault.function


@dataclass
class Bench:
    """The collected tests of an area with what they reach, and the live functions that faults are planted in."""

    items: Sequence[Any]
    files: Sequence[str]
    reached: Reached
    imported: Lines
    live: Live

    def __post_init__(self) -> None:
        self.order = Order([kind_of(item.nodeid) for item in self.items], self.reached.seconds)
        self.plain = {f: meaning(compiled(f, ast.parse(Path(f).read_text("utf-8")))) for f in self.files}

    def check(self) -> None:
        """Raises RuntimeError where tests fail in a forked process without any fault: all would be noticed."""
        chosen = sorted(self.reached.lines)[:: max(1, len(self.reached.lines) // CONTROLS)]
        for found in in_children([partial(self._fail, chosen)], 1, LONGEST, die="tests do not survive without a fault"):
            if found is not None:
                raise RuntimeError(f"{self.items[found].nodeid} fails without any fault")

    def _fail(self, tests: Sequence[int]) -> int | None:
        """The first of the tests that fails."""
        clear_caches()
        return next((i for i in tests if _fails(self.items[i], self.reached.seconds[i])), None)

    def judge(self, mutant: Mutant) -> tuple[Verdict, int | None]:
        """The verdict, and the test that noticed; for a process of its own, which the fault stays in."""
        fault, file = mutant.fault, str(mutant.path)
        same = fault.dropped is not None and given_anyway(*fault.dropped)
        code = mutant.code()
        if same or meaning(code) == self.plain[file]:
            return "same code", None
        if fault.kind == "import":
            return self._judge_constant(mutant)
        head = fault.holders[-1]
        lines = (fault.first, fault.last) if fault.kind == "body" else (head.lineno, head.end_lineno or head.lineno)
        tests = self.reached.tests_of(file, *lines)
        if not tests:
            runs = any((file, n) in self.imported for n in range(lines[0], lines[1] + 1))
            return "at import" if runs else "unreached", None
        if not plant(file, code, fault, self.live):
            return "at import", None
        found = self._fail(self.order.of(_function_of(mutant), tests))
        return ("survived" if found is None else "noticed"), found

    def _judge_constant(self, mutant: Mutant) -> tuple[Verdict, int | None]:
        """What tests notice of a constant that only functions read is noticed; all else is decided at import."""
        file, found = str(mutant.path), constant_of(mutant.tree, mutant.fault)
        places = readers(file, found[0]) if found is not None else None
        tests = {i for place in places or () for i in self.reached.tests_of(*place)}
        if found is None or not tests or not put(file, *found):
            return "at import", None
        test = self._fail(self.order.of(_function_of(mutant), tests))
        return ("at import" if test is None else "noticed"), test

    def tests_anew(self, mutant: Mutant) -> list[Anew]:
        """The tests that are called as what the decorators of the function name, then those that the class reaches, else
        the file, else all: a test of what a rule leaves to others does not reach it."""
        file, name = str(mutant.path), mutant.fault.function.partition(".")[0]
        spans = [
            (n.lineno, n.end_lineno or 0) for n in mutant.tree.body if isinstance(n, ast.ClassDef) and n.name == name
        ]
        ordered = [self.order.of((file, ""), self.reached.tests_of(file, *span)) for span in [*spans, (1, 100_000)]]
        found = [i for tests in ordered for i in tests] or self.order.of((file, ""), list(self.reached.lines))
        words = named_at_import(mutant.tree, name)
        called = [i for i in self.reached.lines if not words.isdisjoint(re.findall(r"\w+", self.items[i].nodeid))]
        found = [*self.order.of((file, name), called), *found]
        chosen = [self.items[i] for i in dict.fromkeys(found)]
        return [(item.nodeid, NO_TESTS if isinstance(item, Check) else str(item.path)) for item in chosen]


def named_at_import(tree: ast.Module, function: str) -> set[str]:
    """The texts in the decorators of a function of a module, and in the module's constants that they read."""
    made = {t.id: n.value for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    heads: list[ast.expr] = [d for n in tree.body if isinstance(n, kinds) and n.name == function for d in n.decorator_list]
    read = [made[n.id] for head in heads for n in ast.walk(head) if isinstance(n, ast.Name) and n.id in made]
    nodes = (n for root in [*heads, *read] for n in ast.walk(root))
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def _fails(item: Any, seconds: float) -> bool:
    """Whether a test fails that takes so long without a fault. A loop that never ends kills the process, which is being
    noticed: the time that counts is the processor's, as other work may hold the test up."""
    signal.setitimer(signal.ITIMER_PROF, 5 + 20 * seconds)
    return failed(item)


def _run_anew(area: Area, mutant: Mutant | None, tests: Sequence[Anew], known: set[str]) -> Verdict:
    """Collect and run with the fault in the file from its import on; tests that only then exist run first."""
    if mutant is not None:
        plant_at_import({str(mutant.path): mutant.code()})

    def work(items: Any) -> Verdict:
        by_id = {item.nodeid: item for item in items}
        chosen = [t for t in by_id if t not in known] + [t for t, _ in tests if t in by_id]
        return "noticed" if any(failed(by_id[t]) for t in chosen) else "survived"

    files = tuple(dict.fromkeys([*(str(ROOT / k) for k in area.keyed), *(file for _, file in tests)]))
    names = {t.removeprefix("::") for t, _ in tests}
    more = named(area.extra)(names.__contains__, ahead=False) if area.extra else ()
    return Session(files, work, area.takes, more).run()


def _check_anew(area: Area, tests: Sequence[Anew], known: set[str]) -> None:
    """Raises RuntimeError where tests fail that are collected anew without any fault: all would be noticed."""
    task = partial(_run_anew, area, None, tests[:CONTROLS], known)
    for verdict in in_children([task], 1, 900, die="tests cannot be collected anew"):
        if verdict != "survived":
            raise RuntimeError(f"tests of {area.folder} fail that are collected anew without any fault")
