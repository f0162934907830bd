"""Processes that run emitted Keras packages, one a backend."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np

from converter.runtimes.arrays import load_arrays, save_arrays
from converter.runtimes.packages import BACKENDS, WORKERS
from tests.warm import SERVERS, start


class PackageFailed(Exception):
    """The package could not be run; the message is its own."""


class Backend:
    """The process of one backend. JAX has 64 bits there, so that element types are those of the model."""

    def __init__(self, name: str, wide: bool = True) -> None:
        self.name = name
        environment = {
            **os.environ, "KERAS_BACKEND": name, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_ENABLE_X64": "1" if wide else "0",
        }  # fmt: skip
        argv = ["-I", str(Path(__file__).with_name("worker.py")), str(WORKERS["keras"])]
        with open(os.devnull, "w") as errors:
            self._process = start(SERVERS[name], argv, environment, errors.fileno())
        atexit.register(self.close)

    def run(self, folder: Path, inputs: Mapping[str, np.ndarray], training: bool = False) -> dict[str, np.ndarray]:
        """Results by flat name (and, of a call of training, the variables after it); raises PackageFailed."""
        sent, received = folder / "in.npz", folder / f"out_{self.name}.npz"
        save_arrays(sent, inputs)
        request = {"folder": str(folder), "inputs": str(sent), "outputs": str(received), "training": training}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": "the process ended"}')
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
        self._process.stdin.close()
        self._process.wait(timeout=60)


@functools.cache
def backend(name: str) -> Backend:
    """This process's own process of a backend, started when needed."""
    return Backend(name)


def module_of(folder: Path) -> ModuleType:
    """A package's module, in this process."""
    spec = importlib.util.spec_from_file_location(f"{folder.parent.name}_{folder.name}", folder / "model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


__all__ = ["BACKENDS", "Backend", "PackageFailed", "backend", "module_of"]
