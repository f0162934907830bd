"""Models of TensorFlow to every target: what `make suite-tensorflow` runs.

    python -m tests.suites.tensorflow_models --state FILE              compare with the recorded results
    python -m tests.suites.tensorflow_models --state FILE --update     record them and write docs/tensorflow.md
    python -m tests.suites.tensorflow_models --only '^vit' --list      some, as they are found

Fails when an answer is wrong, a conversion or a converted model crashes, or what passed when it was recorded does not.
`--state` goes on where a run stopped.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.suites import tensorflow_page as page
from tests.suites.kept import keep, kept
from tests.suites.tensorflow_run import TARGETS, Outcome, names


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, compare; returns the exit code."""
    options = _parser().parse_args(arguments)
    wanted = [n for n in names() if re.search(options.only or "", n)]
    outcomes = [o for o in kept(options.state, Outcome) if o.name in wanted]
    waiting = [n for n in wanted if not any(o.name == n for o in outcomes)]
    started = time.monotonic()
    for outcome in run(waiting):
        outcomes.append(outcome)
        keep(options.state, outcome)
        if options.list:
            print(
                f"{outcome.verdict:8} {outcome.name} to {outcome.to}: {outcome.detail} ({outcome.seconds} s)",
                flush=True,
            )
    print(f"{len(wanted)} models in {time.monotonic() - started:.0f} s")
    return _finish(outcomes, options, whole=not options.only)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.suites.tensorflow_models", description="TensorFlow models")
    parser.add_argument("--only", help="only models whose name this regular expression finds")
    parser.add_argument("--list", action="store_true", help="print every outcome as it is found")
    parser.add_argument("--state", type=Path, help="a file of outcomes to go on from and to add to")
    parser.add_argument("--update", action="store_true", help="record these results")
    return parser


def run(waiting: Sequence[str]) -> Iterator[Outcome]:
    """Outcomes from a process apart; where it dies, the model it was at has crashed and another goes on with the rest."""
    left = list(waiting)
    while left:
        command = [sys.executable, "-m", "tests.suites.tensorflow_run", *left]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                if line.startswith("["):
                    left.pop(0)
                    yield from (Outcome(**record) for record in json.loads(line))
        if child.returncode and left:
            name = left.pop(0)
            yield from (Outcome(name, to, "crashed", "its process died") for to in TARGETS)


def _finish(outcomes: list[Outcome], options: argparse.Namespace, whole: bool) -> int:
    bad = [o for o in outcomes if o.verdict in ("wrong", "crashed")]
    for to in TARGETS:
        print(f"to {to}: " + ", ".join(f"{k} {v}" for k, v in page.count([o for o in outcomes if o.to == to]).items()))
    for o in outcomes:
        if o.verdict != "passed":
            print(f"  {o.verdict}: {o.name} to {o.to}: {o.detail}"[:600])
    if whole and options.update:
        page.record(outcomes)
    elif whole and (problems := page.fallen(page.recorded(page.read()), outcomes)):
        print("\n".join(problems))
        return 1
    return int(bool(bad))


if __name__ == "__main__":
    raise SystemExit(main())
