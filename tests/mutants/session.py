"""Tests collected once, run again and again: each mutant in a forked process, against the tests that run its line."""

from __future__ import annotations

import functools
import gc
import os
import pickle
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.reach import Lines, recording

Runs = Callable[[Sequence[pytest.Item]], Any]
KEPT = {"cases_of", "preloaded", "cases", "known_refusals", "server"}
"""Caches that hold the tests' data, or processes of their own, which no fault changes."""
SPARE_BYTES = 6 << 30


class Check(pytest.Item):
    """A callable as a test."""

    def __init__(self, *, call: Callable[[], None], **rest: Any) -> None:
        super().__init__(**rest)
        self.call = call

    def runtest(self) -> None:
        self.call()


@dataclass
class Session:
    """A pytest plugin: collects the tests of `paths`, then hands them to `work` instead of running them.

    `extra` gives further tests once collection is done; `takes` chooses by node id. Raises RuntimeError when no test
    is left, since such a run would notice nothing.
    """

    paths: Sequence[str]
    work: Runs
    takes: Callable[[str], bool] = lambda nodeid: True
    extra: Callable[[], Iterable[tuple[str, Callable[[], None]]]] = lambda: ()
    result: Any = field(default=None, init=False)

    def run(self) -> Any:
        """What `work` returns; raises RuntimeError when collection fails."""
        with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
            options = ["-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:terminal", f"--basetemp={folder}/t"]
            if "hypothesis" in sys.modules:
                options.append("--hypothesis-seed=0")
            code = pytest.main([*options, *self.paths], plugins=[self])
        if code != 0:
            raise RuntimeError(f"the tests of {' '.join(self.paths)} cannot be collected (pytest: {code!r})")
        return self.result

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Pytest's hook: our work instead of its loop."""
        items = [i for i in session.items if self.takes(i.nodeid)]
        items += [Check.from_parent(session, name=name, call=call) for name, call in self.extra()]
        if session.testsfailed:
            raise session.Failed(f"{session.testsfailed} errors")
        if not items:
            raise RuntimeError(f"no test is selected by {' '.join(self.paths)}")
        self.result = self.work(items)
        return True


def failed(item: pytest.Item) -> bool:
    """Run one test; whether it failed."""
    return any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def clear_caches() -> None:
    """Forget what our functions have cached: a fault must not hide behind a result of before."""
    for cache in _caches(len(sys.modules)):
        cache.cache_clear()


@functools.lru_cache(1)
def _caches(modules: int) -> list[Any]:
    """Every cached function of ours, looked for again when more modules are loaded."""
    # by type(): isinstance asks a dead weak proxy for its class, which raises
    cached = [o for o in gc.get_objects() if type(o) is functools._lru_cache_wrapper and o is not _caches]
    ours = [o for o in cached if getattr(o, "__module__", "").split(".")[0] in ("ir", "converter", "tests")]
    return [o for o in ours if getattr(o, "__name__", "") not in KEPT]


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


def reach(items: Sequence[pytest.Item], files: Sequence[str], jobs: int) -> Reached:
    """Run every test once, in forked processes, and record the lines of the files that it runs."""
    whole = Reached()
    parts = [range(k, len(items), jobs) for k in range(jobs)]
    tasks = [functools.partial(_reach, items, part, files) for part in parts]
    for part in in_children(tasks, jobs, 3600, die="the tests do not survive a run without any fault"):
        whole.lines.update(part.lines)
        whole.seconds.update(part.seconds)
        whole.broken += part.broken
        whole.modules |= part.modules
    return whole


def _reach(items: Sequence[pytest.Item], chosen: Iterable[int], files: Sequence[str]) -> Reached:
    found = Reached()
    for i in chosen:
        clear_caches()
        started = time.perf_counter()
        with recording(files) as lines:
            bad = failed(items[i])
        found.seconds[i] = time.perf_counter() - started
        if bad:
            found.broken.append(i)
        else:
            found.lines[i] = lines
    found.modules = set(sys.modules)
    return found


# -- forked processes -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Death:
    """Why a process gave no answer."""

    reason: str


def in_children(
    tasks: Sequence[Callable[[], Any]], jobs: int, seconds: float, leaf: bool = True, die: str = ""
) -> Iterable[Any]:
    """What each task returns, in order, each in a forked process; None for one that dies or takes too long.

    A `leaf` is kept silent, and its memory bounded. With a message `die`, a death raises RuntimeError with its reason.
    """
    running: dict[int, tuple[int, int]] = {}
    done: dict[int, Any] = {}
    given = 0
    for wanted in range(len(tasks)):
        while wanted not in done:
            while given < len(tasks) and len(running) < jobs:
                pid, pipe = _start(tasks[given], seconds, leaf)
                running[pid] = given, pipe
                given += 1
            _collect(running, done)
        answer = done.pop(wanted)
        if die and isinstance(answer, Death):
            raise RuntimeError(f"{die}: {answer.reason}")
        yield None if isinstance(answer, Death) else answer


def _start(task: Callable[[], Any], seconds: float, leaf: bool) -> tuple[int, int]:
    out, into = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(into)
        return pid, out
    os.close(out)
    code = 1
    try:
        code = _child(task, into, seconds, leaf)
    finally:
        os._exit(code)


def _child(task: Callable[[], Any], into: int, seconds: float, leaf: bool) -> int:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    if leaf:
        resource.setrlimit(resource.RLIMIT_AS, (_address_space() + SPARE_BYTES,) * 2)
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
    try:
        answer = task()
    except BaseException:  # noqa: BLE001 - whatever it was, the parent tells it
        answer = Death(traceback.format_exc())
    data = pickle.dumps(answer)
    with os.fdopen(into, "wb") as pipe:
        pipe.write(data)
    return 0


def _address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _collect(running: dict[int, tuple[int, int]], done: dict[int, Any]) -> None:
    """Read the answer of whichever child has one first; its pipe closes when it dies."""
    import select

    ready, _, _ = select.select([pipe for _, pipe in running.values()], [], [])
    for pid, (index, pipe) in list(running.items()):
        if pipe in ready:
            with os.fdopen(pipe, "rb") as file:
                data = file.read()
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            done[index] = pickle.loads(data) if code == 0 and data else Death(f"exit code {code}")
            del running[pid]
