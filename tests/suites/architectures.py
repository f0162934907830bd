"""Tiny `transformers` models through import, both exporters and verification.

    python -m tests.suites.architectures                       compare with the recorded results
    python -m tests.suites.architectures --update              record them and write docs/models.md
    python -m tests.suites.architectures --only '^mamba' --list   some, as they are found

Every architecture, in float32 and bfloat16, with its batch and sequence sizes dynamic, goes to ONNX and to PyTorch
source. It passes when verification calls it equal, when a comparison of our own against the library in float64, at
sizes the conversion has not seen and in a process that has not seen the source, agrees, and when (to PyTorch) it has the
source's parameters and takes its `state_dict`. Fails when an answer is wrong, a conversion or a converted model crashes,
fewer are counted than recorded, or fewer pass. `--state FILE` goes on where another run stopped.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import re
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.pool import ThreadPool
from pathlib import Path

from fixtures.architectures import TABLE
from tests.suites import architectures_page as page
from tests.suites.architectures_run import DTYPES, TARGETS, Outcome, run_architecture
from tests.suites.kept import keep, kept

SECONDS = 1200
"""How long one architecture in one dtype may take before it counts as crashed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, compare; returns the exit code."""
    options = _parser().parse_args(arguments)
    names = [n for n in in_turn() if re.search(options.only or "", n)]
    outcomes = [o for o in kept(options.state, Outcome) if o.name in names and o.dtype in options.dtype]
    waiting = [(n, d) for d in options.dtype for n in names if not any((o.name, o.dtype) == (n, d) for o in outcomes)]
    started = time.monotonic()
    for found in run(waiting, options.jobs):
        outcomes += found
        for outcome in found:
            _tell(outcome, options)
    print(f"{len(names)} architectures in {time.monotonic() - started:.0f} s")
    return _finish(outcomes, options, whole=not options.only and tuple(options.dtype) == DTYPES)


def in_turn() -> list[str]:
    """The architectures, one of each family after the other: a run that stops early has seen all kinds."""
    families: dict[str, list[str]] = {}
    for row in TABLE.values():
        families.setdefault(row.family, []).append(row.name)
    rounds = itertools.zip_longest(*families.values())
    return [name for names in rounds for name in names if name is not None]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.suites.architectures", description="transformers models")
    parser.add_argument("--only", help="only architectures whose name this regular expression finds")
    parser.add_argument("--dtype", nargs="+", choices=DTYPES, default=list(DTYPES))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="print every outcome as it is found")
    parser.add_argument("--state", type=Path, help="a file of outcomes to go on from and to add to")
    parser.add_argument("--update", action="store_true", help="record these results")
    return parser


def _tell(outcome: Outcome, options: argparse.Namespace) -> None:
    if options.list:
        place = f"{outcome.name} {outcome.dtype} to {outcome.to}"
        print(f"{outcome.verdict:8} {place}: {outcome.what}: {outcome.detail} ({outcome.seconds:.0f} s)", flush=True)
    keep(options.state, outcome)


def run(waiting: Sequence[tuple[str, str]], jobs: int) -> Iterator[list[Outcome]]:
    """Outcomes of (architecture, dtype) pairs, in processes apart: a crash or an endless run is that pair's alone."""
    import torch
    import transformers  # noqa: F401 - before the fork, so that children share it

    torch.set_num_threads(1)
    with ThreadPool(jobs) as pool:
        yield from pool.imap(Child.serve, waiting)


class Child:
    """A process that takes pairs, one after the other; another takes its place when it dies or takes too long."""

    own = threading.local()

    def __init__(self) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    @classmethod
    def serve(cls, item: tuple[str, str]) -> list[Outcome]:
        """The outcomes of one pair, from this thread's child."""
        child = getattr(cls.own, "child", None) or cls()
        cls.own.child = child
        try:
            child.pipe.send(item)
            if child.pipe.poll(SECONDS):
                return child.pipe.recv()
            what = f"no result in {SECONDS} s"
        except (EOFError, OSError):
            what = "the process died"
        child.process.kill()
        child.process.join()
        cls.own.child = None
        return [Outcome(*item, to, "crashed", "process", what) for to in TARGETS]


def _work(pipe: Connection) -> None:
    while True:
        pipe.send(run_architecture(*pipe.recv()))


def _finish(outcomes: list[Outcome], options: argparse.Namespace, whole: bool) -> int:
    failed = False
    for to in TARGETS:
        own = [o for o in outcomes if o.to == to]
        print(f"to {to}: " + ", ".join(f"{k} {v}" for k, v in page.count(own).items()))
        for o in own:
            if o.verdict in ("wrong", "crashed"):
                failed = True
                print(f"  {o.verdict}: {o.name} {o.dtype}: {o.what}: {o.detail}"[:600])
    if not whole:
        return int(failed)
    if options.update:
        page.record(outcomes)
    elif problems := page.fallen(page.read(), outcomes):
        failed = True
        print("\n".join(problems))
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
