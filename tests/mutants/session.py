"""Tests collected once, run again and again: each mutant in a forked process, against the tests that run its line."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import pickle
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
from _pytest.runner import runtestprotocol

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
    extra: Iterable[tuple[str, Callable[[], None]]] = ()
    result: Any = field(default=None, init=False)

    def run(self) -> Any:
        """What `work` returns; raises RuntimeError when collection fails."""
        options = ["-s", "--assert=plain", *(f"-pno:{name}" for name in ("cacheprovider", "xdist", "terminal"))]
        if "hypothesis" in sys.modules:
            options.append("--hypothesis-seed=0")
        with _temporary() as folder:
            code = pytest.main([*options, f"--basetemp={folder}/t", *self.paths], plugins=[self])
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):  # there may be `extra` ones alone
            raise RuntimeError(f"the tests of {' '.join(self.paths)} cannot be collected (pytest: {code!r})")
        return self.result

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Pytest's hook: our work instead of its loop."""
        session.config.option.tbstyle = (
            "native"  # any other has pytest parse the files of a traceback, which nobody reads
        )
        items = [i for i in session.items if self.takes(i.nodeid)]
        items += [Check.from_parent(session, name=name, call=call) for name, call in self.extra]
        if session.testsfailed:
            raise session.Failed(f"{session.testsfailed} errors")
        if not items:
            raise RuntimeError(f"no test is selected by {' '.join(self.paths)}")
        self.result = self.work(items)
        return True


@contextlib.contextmanager
def _temporary() -> Iterator[str]:
    """A folder in memory for all temporary files: processes of mutants end without removing theirs."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        with mock.patch.dict(os.environ, TMPDIR=folder):
            tempfile.tempdir = folder
            try:
                yield folder
            finally:
                tempfile.tempdir = before


def failed(item: pytest.Item) -> bool:
    """Run one test; whether it failed."""
    return any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


_settled: list[Any] = []
"""The cached functions that `settle` found."""
_held: list[Any] = []
"""Temporary folders that live by now: a forked process that forgets one would remove it, and its parent needs it still."""


def settle() -> None:
    """Find the cached functions that live by now, and freeze all that lives.

    A process forked from here copies little of its memory, since the garbage collector touches nothing of it.
    """
    gc.unfreeze()  # what is frozen, as by tests/conftest.py, is not among the objects that the collector lists
    gc.collect()
    _settled[:] = _caches()
    _held[:] = _folders()
    gc.freeze()


def clear_caches() -> None:
    """Forget what our functions have cached: a fault must not hide behind a result of before."""
    _held.extend(_folders())
    for cache in [*_settled, *_caches()]:
        cache.cache_clear()


def _folders() -> list[Any]:
    """Every temporary folder that is not frozen."""
    return [o for o in gc.get_objects() if type(o) is tempfile.TemporaryDirectory]


def _caches() -> list[Any]:
    """Every cached function of ours that is not frozen."""
    # by type(): isinstance asks a dead weak proxy for its class, which raises
    cached = [o for o in gc.get_objects() if type(o) is functools._lru_cache_wrapper]
    ours = [o for o in cached if getattr(o, "__module__", "").split(".")[0] in ("ir", "converter", "tests")]
    return [o for o in ours if getattr(o, "__name__", "") not in KEPT]


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
