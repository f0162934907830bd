"""ONNX's own backend tests through import, export and the target's runtime.

    python -m tests.suites.onnx_backend --to torch --jobs 2          compare with the recorded results
    python -m tests.suites.onnx_backend --to torch --jobs 2 --update record them and write docs/suites.md

Fails when an answer is wrong, a conversion or a converted model crashes, fewer cases are counted than recorded, or
fewer pass. `--state FILE` keeps outcomes, so that a run can go on where another stopped.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.suites import results
from tests.suites.cases import CATEGORIES, KINDS, Case, load_cases
from tests.suites.kept import keep, kept
from tests.suites.running import TARGETS, UNDECIDED, VERDICTS, Outcome, run_cases


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, compare; returns the exit code."""
    options = _parser().parse_args(arguments)
    chosen = choose(load_cases(tuple(options.kind or KINDS)), options)
    whole = not (options.kind or options.limit or options.only)
    failed = False
    for to in options.to or TARGETS[:-1]:
        started = time.monotonic()
        outcomes = _run(chosen, to, options)
        print(f"\nto {to}: {len(outcomes)} cases in {time.monotonic() - started:.0f} s")
        print(table(outcomes))
        if options.refusals:
            print("\n".join(f"{n:5} {op}: {reason}" for (op, reason), n in refusals(outcomes).most_common()))
        for o in outcomes:
            if o.verdict in ("wrong", "crashed", UNDECIDED):
                print(f"{o.verdict}: {o.label}: {o.detail}")
        failed |= any(o.verdict in ("wrong", "crashed") for o in outcomes)
        if not whole:
            continue
        if options.update:
            results.record("onnx_backend", to, summary(outcomes))
        elif problems := results.compare("onnx_backend", to, summary(outcomes)):
            failed = True
            print("\n".join(problems))
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.suites.onnx_backend", description="ONNX's own backend tests")
    parser.add_argument("--to", action="append", choices=TARGETS, help="target; repeatable (default: all but ir)")
    parser.add_argument("--kind", action="append", choices=KINDS, help="kind of case; repeatable (default: all)")
    parser.add_argument("--only", help="only cases whose label this regular expression finds")
    parser.add_argument("--limit", type=int, help="a seeded sample of this many cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--refusals", action="store_true", help="print refusals by reason and count")
    parser.add_argument("--list", action="store_true", help="print every case that does not pass")
    parser.add_argument("--state", type=Path, help="a file of outcomes to go on from and to add to")
    parser.add_argument("--update", action="store_true", help="record these results")
    return parser


def choose(cases: list[Case], options: argparse.Namespace) -> list[Case]:
    """The cases asked for."""
    if options.only:
        cases = [c for c in cases if re.search(options.only, c.label)]
    if options.limit and options.limit < len(cases):
        picked = random.Random(options.seed).sample(range(len(cases)), options.limit)
        cases = [cases[i] for i in sorted(picked)]
    return cases


def _run(cases: list[Case], to: str, options: argparse.Namespace) -> list[Outcome]:
    chosen = {c.label for c in cases}
    outcomes = [o for o in kept(options.state, Outcome) if o.to == to and o.label in chosen]
    done = {o.label for o in outcomes}
    for outcome in run_cases([c for c in cases if c.label not in done], to, options.jobs):
        outcomes.append(outcome)
        keep(options.state, replace(outcome, to=to))
        if options.list and outcome.verdict != "passed":
            print(f"{outcome.verdict:8} {outcome.label}: {outcome.op}: {outcome.detail}", flush=True)
        if len(outcomes) % 200 == 0:
            print(f"{len(outcomes)} of {len(cases)}", file=sys.stderr, flush=True)
    return outcomes


def summary(outcomes: Sequence[Outcome]) -> dict:
    """What is recorded: counts of each category, refusals by op and reason, cases that rounding alone decides."""
    counts = {
        category: {
            "counted": len(own), **{v: sum(o.verdict == v for o in own) for v in (*VERDICTS, UNDECIDED)},
            "with_known_sizes": sum(o.sizes and o.verdict == "passed" for o in own),
        }
        for category in CATEGORIES
        if (own := [o for o in outcomes if o.category == category])
    }  # fmt: skip
    found = sorted(refusals(outcomes).items(), key=lambda item: (-item[1], item[0]))
    listed = [{"op": op, "reason": reason, "count": n} for (op, reason), n in found]
    undecided = sorted(o.label for o in outcomes if o.verdict == UNDECIDED)
    return {"counts": counts, "refusals": listed, **({UNDECIDED: undecided} if undecided else {})}


def refusals(outcomes: Sequence[Outcome]) -> Counter[tuple[str, str]]:
    """Refusals by op and reason."""
    return Counter((o.op, o.detail) for o in outcomes if o.verdict == "refused")


def table(outcomes: Sequence[Outcome]) -> str:
    """Passed, refused, wrong, crashed by category."""
    return "\n".join(results.table_lines(summary(outcomes)["counts"]))


if __name__ == "__main__":
    sys.exit(main())
