"""Interpreters of their own, for what was written: isolated from this one, with nothing of it but scripts beside this file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO


def start(
    argv: Sequence[str], environment: Mapping[str, str], errors: IO[str], python: str | None = None
) -> subprocess.Popen[str]:
    """A script that is asked and answers by lines, by this interpreter or the one at `python`."""
    command = [python or sys.executable, "-I", *argv]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=dict(environment)
    )


def run(argv: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A script run to its end, its output captured."""
    command = [sys.executable, "-I", *argv]
    return subprocess.run(command, capture_output=True, text=True, env=dict(environment), check=False)
