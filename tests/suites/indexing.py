"""The recorded indexing cases from the IR, PyTorch and ONNX through the evaluator and both exporters.

    python -m tests.suites.indexing --jobs 2            compare with the recorded results
    python -m tests.suites.indexing --jobs 2 --update   record them and write docs/indexing.md
    python -m tests.suites.indexing --only scatter --from torch

Fails when an answer is wrong or crashes, fewer cases are counted on a route than recorded, or fewer pass.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator, Sequence

import torch

from tests.suites import faster_export
from tests.suites import indexing_page as page
from tests.suites.indexing_run import SOURCES, Outcome, cases, run_case
from tests.suites.processes import spread


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, compare; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.suites.indexing", description="the recorded indexing cases")
    parser.add_argument(
        "--from", action="append", dest="sources", choices=SOURCES, help="source; repeatable (default: all)"
    )
    parser.add_argument("--only", help="only cases whose name this regular expression finds")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--update", action="store_true", help="record these results")
    options = parser.parse_args(arguments)
    chosen = [name for name in cases() if not options.only or re.search(options.only, name)]
    started = time.monotonic()
    outcomes = [o for found in run(chosen, tuple(options.sources or SOURCES), options.jobs) for o in found]
    print(f"{len(chosen)} cases in {time.monotonic() - started:.0f} s")
    print("\n".join(page.table(page.counted(outcomes))))
    bad = [o for o in outcomes if o.verdict in ("wrong", "crashed")]
    for o in bad:
        print(f"{o.verdict}: {o.case}, {o.route}: {o.detail}"[:800])
    if options.only or options.sources:
        return int(bool(bad))
    if options.update:
        page.record(outcomes)
    problems = page.fallen(page.read(), outcomes)
    print("\n".join(problems))
    return int(bool(bad or problems))


def run(names: Sequence[str], sources: tuple[str, ...], jobs: int) -> Iterator[list[Outcome]]:
    """Outcomes of each case, in order."""
    faster_export.install()
    yield from spread(_job, [(name, sources) for name in names], jobs)


def _job(item: tuple[str, tuple[str, ...]]) -> list[Outcome]:
    torch.set_num_threads(1)
    name, sources = item
    return run_case(cases()[name], sources)


if __name__ == "__main__":
    sys.exit(main())
