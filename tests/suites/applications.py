"""Every architecture of `keras.applications`, random weights and the smallest images it takes, to PyTorch and ONNX.

    python -m tests.suites.applications --state FILE              compare with the recorded results
    python -m tests.suites.applications --state FILE --update     record them and write docs/applications.md
    python -m tests.suites.applications --only '^ResNet' --list   some, as they are found

An architecture passes when verification calls the result equal, when it has the source's parameters, and when no
transpose stands between its operations (those of the image at the border aside). `--state` goes on where a run stopped.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path

from tests.suites import applications_page as page
from tests.suites.applications_run import TARGETS, Outcome, architectures
from tests.suites.kept import keep, kept

SECONDS = 3600
"""How long one architecture may take before it counts as crashed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, compare; returns the exit code."""
    options = _parser().parse_args(arguments)
    names = [n for n in architectures() if re.search(options.only or "", n)]
    outcomes = [o for o in kept(options.state, Outcome) if o.name in names]
    waiting = [n for n in names if not any(o.name == n for o in outcomes)]
    started = time.monotonic()
    with ThreadPool(options.jobs) as pool:
        for found in pool.imap(one, waiting):
            outcomes += found
            for outcome in found:
                _tell(outcome, options)
    print(f"{len(names)} architectures in {time.monotonic() - started:.0f} s")
    return _finish(outcomes, options, whole=not options.only)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.suites.applications", description="keras.applications")
    parser.add_argument("--only", help="only architectures whose name this regular expression finds")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="print every outcome as it is found")
    parser.add_argument("--state", type=Path, help="a file of outcomes to go on from and to add to")
    parser.add_argument("--update", action="store_true", help="record these results")
    return parser


def one(name: str) -> list[Outcome]:
    """The outcomes of one architecture, in a process of its own."""
    command = [sys.executable, "-m", "tests.suites.applications_run", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return [Outcome(name, to, "crashed", f"no result in {SECONDS} s") for to in TARGETS]
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return [Outcome(name, to, "crashed", last) for to in TARGETS]
    return [Outcome(**record) for record in json.loads(done.stdout.strip().splitlines()[-1])]


def _tell(outcome: Outcome, options: argparse.Namespace) -> None:
    if options.list:
        print(
            f"{outcome.verdict:8} {outcome.name} to {outcome.to}: {outcome.detail} ({outcome.seconds:.0f} s)",
            flush=True,
        )
    keep(options.state, outcome)


def _finish(outcomes: list[Outcome], options: argparse.Namespace, whole: bool) -> int:
    failed = [o for o in outcomes if o.verdict != "passed"]
    for to in TARGETS:
        own = [o for o in outcomes if o.to == to]
        print(f"to {to}: {sum(o.verdict == 'passed' for o in own)} of {len(own)} passed")
    for o in failed:
        print(f"  {o.verdict}: {o.name} to {o.to}: {o.detail}"[:600])
    if whole and options.update:
        page.record(outcomes)
    elif whole and (problems := page.fallen(page.read(), outcomes)):
        print("\n".join(problems))
        return 1
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())
