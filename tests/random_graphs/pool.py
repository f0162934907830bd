"""Processes that run seeds. One may end in the middle of a seed: that seed crashed, and another process goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from tests.random_graphs.outcome import Outcome

ROOT = Path(__file__).resolve().parents[2]
SEEDS_EACH = 400
"""A process is replaced after as many: every emitted model stays in memory."""


class Pool:
    """One process a thread, started when needed."""

    def __init__(self) -> None:
        self._own = threading.local()

    def outcome(self, seed: int) -> Outcome:
        """What became of a seed."""
        answer = self._ask(f"run {seed}")
        if answer is None:
            answer = self._ask(f"died {seed}")
        if answer is None:
            return Outcome(seed, "crashed", step="process", detail="the process ended")
        return Outcome(**json.loads(answer))

    def _ask(self, request: str) -> str | None:
        process = self._process()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(request + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            process.wait()
        return answer or None

    def _process(self) -> subprocess.Popen[str]:
        own = self._own
        old: subprocess.Popen[str] | None = getattr(own, "process", None)
        if old is not None and (own.left <= 0 or old.poll() is not None):
            assert old.stdin is not None
            old.stdin.close()
            old.wait()
            old = None
        if old is None:
            command = [sys.executable, "-m", "tests.random_graphs.serve"]
            own.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
            own.left = SEEDS_EACH
        own.left -= 1
        return own.process  # type: ignore[no-any-return]
