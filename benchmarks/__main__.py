"""Time the command's start and conversions of the zoo; exits 1 when the command starts too slowly.

`python -m benchmarks [MODEL ...]` converts the named zoo models (default: three small ones), each in a process of its
own, so that peak memory is its own as well. `--full` takes the published sizes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HELP_LIMIT = 0.3
DEFAULT = ("resnet50", "bert", "llama")

CONVERT = """
import json, resource, sys, time
import converter
from fixtures.zoo import build
name, size, target, out = sys.argv[1:]
model = build(name, size)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
converter.convert(model.module, to=target, output=out, inputs=model.example_inputs, verify=False)
seconds = time.perf_counter() - start
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps({"seconds": seconds, "grown_mib": grown / 1024, "parameters_mib": model.parameter_count * 4 / 2**20}))
"""


def help_seconds(runs: int = 11) -> float:
    """Median time of `isomorph --help`, interpreter start included."""
    command = [str(Path(sys.executable).with_name("isomorph")), "--help"]
    return statistics.median(_timed(command) for _ in range(runs))


def _timed(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def convert(name: str, size: str, target: str) -> dict[str, float]:
    """Seconds and memory of one conversion without verification, in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / ("model.onnx" if target == "onnx" else "package")
        command = [sys.executable, "-c", CONVERT, name, size, target, str(out)]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def main() -> int:
    """Print the table; 1 when `--help` is over its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("models", nargs="*", default=DEFAULT)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    start = help_seconds()
    print(f"isomorph --help: {start:.3f} s median (limit {HELP_LIMIT} s)")
    print(f"{'model':18}{'target':8}{'seconds':>9}{'memory grown':>15}{'parameters':>13}")
    for name in options.models:
        for target in ("onnx", "torch"):
            r = convert(name, "full" if options.full else "small", target)
            memory = f"{r['grown_mib']:.1f} MiB"
            print(f"{name:18}{target:8}{r['seconds']:9.2f}{memory:>15}{r['parameters_mib']:>9.1f} MiB")
    return int(start > HELP_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
