"""Random graphs through every step of a conversion.

    python -m tests.random_graphs --jobs 2 --state FILE             20,000 graphs; goes on where FILE ends
    python -m tests.random_graphs --first 7 --count 1 --list        one seed, its smallest failing model printed
    python -m tests.random_graphs --jobs 2 --state FILE --update    record the counts and write docs/suites.md

Fails when a graph is wrong or crashes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.random_graphs import record
from tests.random_graphs.outcome import Outcome
from tests.random_graphs.pool import Pool
from tests.suites.kept import keep, kept

COUNT = 20_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, record; returns the exit code."""
    options = _parser().parse_args(arguments)
    seeds = range(options.first, options.first + options.count)
    outcomes = [o for o in kept(options.state, Outcome) if o.seed in seeds]
    waiting = [s for s in seeds if s not in {o.seed for o in outcomes}]
    started, code = time.monotonic(), _revision()
    for number, outcome in enumerate(run(waiting, options.jobs, options.seconds), 1):
        outcome.revision = code
        outcomes.append(outcome)
        _tell(outcome, options)
        if number % 100 == 0:
            print(
                f"{number} of {len(waiting)} in {time.monotonic() - started:.0f} s: {record.line(outcomes)}", flush=True
            )
    found = record.summary(outcomes)
    print(f"seeds {seeds.start} to {seeds.stop - 1}: {record.line(outcomes)}")
    for reason, n in list(found["refused by reason"].items())[:20]:
        print(f"  refused {n}: {reason}")
    if len(outcomes) < len(seeds):
        print(f"{len(seeds) - len(outcomes)} seeds are left; run again to go on")
    if options.update:
        record.store(found)
    return int(any(o.verdict in ("wrong", "crashed") for o in outcomes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.random_graphs", description="random graphs at length")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no graph after this time")
    parser.add_argument("--list", action="store_true", help="print refused and ill-conditioned graphs too")
    parser.add_argument("--state", type=Path, help="a file of outcomes to go on from and to add to")
    parser.add_argument("--update", action="store_true", help="record these counts")
    return parser


def _revision() -> str:
    """The revision of the code, `-dirty` where it was changed since; empty outside of version control."""
    asked = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _tell(outcome: Outcome, options: argparse.Namespace) -> None:
    if outcome.verdict in ("wrong", "crashed") or (options.list and outcome.verdict != "agreed"):
        print(f"{outcome.verdict:8} seed {outcome.seed}, {outcome.step}: {outcome.detail}\n{outcome.text}", flush=True)
    keep(options.state, outcome)


def run(seeds: Sequence[int], jobs: int, seconds: float) -> Iterator[Outcome]:
    """Outcomes in no particular order."""
    until = time.monotonic() + seconds
    pool = Pool()

    def one(seed: int) -> Outcome | None:
        return pool.outcome(seed) if time.monotonic() < until else None

    with ThreadPoolExecutor(jobs) as threads:
        for future in as_completed([threads.submit(one, s) for s in seeds]):
            outcome = future.result()
            if outcome is not None:
                yield outcome


if __name__ == "__main__":
    sys.exit(main())
