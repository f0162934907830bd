"""What the product starts to run written packages begins with its framework imported, in tests."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any
from unittest import mock

from converter.runtimes import processes
from tests.warm.client import SERVERS, python, start


def installed() -> Any:
    """A patch of how the product starts processes, for a `with` or to be started."""
    return mock.patch.multiple(processes, start=_start, run=_run)


def _server(argv: Sequence[str], environment: Mapping[str, str]) -> str:
    """The server that has imported what a worker of the product imports."""
    kind = Path(argv[0]).name.partition("_")[0]
    return SERVERS[environment["KERAS_BACKEND"]] if kind == "keras" else kind


FRESH = processes.start


def _start(argv: Sequence[str], environment: Mapping[str, str], errors: IO[str], python: str | None = None) -> Any:
    if python is not None:
        return FRESH(argv, environment, errors, python)
    return start(_server(argv, environment), ["-I", *argv], environment, errors.fileno())


def _run(argv: Sequence[str], environment: Mapping[str, str]) -> Any:
    changed = {k: v for k, v in environment.items() if os.environ.get(k) != v}
    return python(_server(argv, environment), "-I", *argv, environment=changed)
