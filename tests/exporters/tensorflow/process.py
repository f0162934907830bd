"""A process that runs emitted TensorFlow packages."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from converter.runtimes.arrays import load_arrays, save_arrays
from converter.runtimes.packages import WORKERS
from tests.warm import start

WAYS = ("eager", "function", "compiled")
"""Called as it is; as a graph whose sizes vary where the signature says so; compiled by XLA for the sizes at hand."""


class PackageFailed(Exception):
    """The package could not be run; the message is its own."""


class Process:
    """Runs one package after the other."""

    def __init__(self) -> None:
        argv = ["-I", str(Path(__file__).with_name("worker.py")), str(WORKERS["tensorflow"])]
        with open(os.devnull, "w") as errors:
            environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
            self._process = start("tensorflow", argv, environment, errors.fileno())
        self.ended = False
        atexit.register(self.close)

    def run(
        self,
        folder: Path,
        inputs: Mapping[str, np.ndarray],
        way: str = "eager",
        steps: int = 0,
        cotangent: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Results by flat name (and, after steps of training on the mean square of the result, the variables as
        `variable:NAME`, `trained:NAME` where they are trained); with a cotangent of the one result the gradients of the
        inputs instead. Raises PackageFailed."""
        sent, received = folder / "in.npz", folder / f"out_{way}.npz"
        save_arrays(sent, inputs)
        request: dict[str, str | int] = {
            "folder": str(folder),
            "inputs": str(sent),
            "outputs": str(received),
            "way": way,
            "steps": steps,
        }
        if cotangent is not None:
            request["cotangent"] = str(folder / "cotangent.npz")
            save_arrays(folder / "cotangent.npz", {"cotangent": cotangent})
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        self.ended = not line
        answer = json.loads(line or '{"error": "the process ended"}')
        if "error" in answer:
            raise PackageFailed(answer["error"])
        return load_arrays(received)

    @property
    def alive(self) -> bool:
        """Whether the process answers."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):  # of what a process that has ended was to read
            self._process.stdin.close()
        self._process.wait(timeout=60)


_own: list[Process] = []


def process() -> Process:
    """This process's own one, started when needed: the first time, and where a package ended it."""
    if not _own or _own[0].ended:
        _own[:] = [Process()]
    return _own[0]


__all__ = ["WAYS", "PackageFailed", "Process", "process"]
