"""`python -m tests.mutants [--limit N] [--seed S] [PATH ...]`: plant faults, run the tests that reach them, list survivors.

Without paths, every file of `areas.py`. `--limit` draws that many mutants of each area by seed, `--again FILE` takes the
survivors that an earlier run printed. The whole takes some hours: with `--state FILE` it goes on where it stopped, and judges
again what stands in files that have changed since; beside it is kept what the tests reach, until a source changes. `--only
REGEX` runs some of the tests: what they notice is noticed, the rest is left for a run of all (`--only test_written` goes
quickly through an exporter). Survivors that change nothing anyone can observe are explained in `explained.txt`; the exit code
is 1 when any other survives.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from tests.mutants.areas import AREAS, area_of
from tests.mutants.run import Counts, go_on, keys_of, mutants_of, report, sampled

PRELOADED = ("numpy", "torch", "onnx", "onnxruntime", "scipy.special", "safetensors.torch", "ml_dtypes")
"""Frameworks, loaded once before any process forks."""


def main() -> int:
    """Run, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--limit", type=int, help="mutants of each area, drawn by seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--again", type=Path, help="only mutants that the output of an earlier run, in this file, lists"
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--only", default="", help="only tests whose id this matches: what they do not notice is listed, not kept"
    )
    parser.add_argument("--state", type=Path, help="a file of verdicts to go on from and to add to")
    options = parser.parse_args()
    paths = [p.resolve() for p in options.paths]
    files = [f for p in paths for f in (sorted(p.glob("*.py")) if p.is_dir() else [p])]
    by_area = {a: [f for f in a.sources() if not paths or f in files] for a in AREAS}
    if not paths or not files:
        by_area = {a: a.sources() for a in AREAS}
    for path in paths:
        if not path.is_dir():
            area_of(path)
    for name in PRELOADED:
        __import__(name)
    listed = keys_of(options.again.read_text("utf-8")) if options.again else None
    total = Counts()
    for area, sources in by_area.items():
        area = replace(area, only=options.only)
        found = [m for m in mutants_of(sources) if listed is None or m.key in listed]
        if found:
            mutants = sampled(found, options.limit, options.seed)
            total += report(area, mutants, go_on(area, mutants, options.jobs, options.state))
    print(f"all: {total}")
    return 1 if total.survived else 0


if __name__ == "__main__":
    sys.exit(main())
