"""A process that runs a model, asked by lines: `{"inputs": [file.npz, ...], "outputs": [file.npz, ...]}`, the files of calls
in turn, answered by `{"ok": true}` or `{"error": text}`."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from converter.runtimes import processes
from converter.runtimes.arrays import load_arrays, save_arrays
from converter.runtimes.base import RuntimeFailure


class Asked:
    """The process, which lives until `close`, and the folder of the files that go to and fro."""

    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str], what: str, python: str | None = None
    ) -> None:
        """Start it, by this interpreter or the one at `python`; `what` is its name in messages. Raises RuntimeFailure where
        it cannot load its model."""
        self._what = what
        self.ended = False
        self._dir = tempfile.TemporaryDirectory(prefix="isomorph-")
        self._errors = (Path(self._dir.name) / "stderr").open("w+")
        self._process = processes.start(argv, environment, self._errors, python)
        self._answer("cannot be loaded")

    def ask(self, calls: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """What it makes of the inputs of each call. Raises RuntimeFailure with its own words."""
        sent, received = ([Path(self._dir.name) / f"{k}{i}.npz" for i in range(len(calls))] for k in ("in", "out"))
        for path, inputs in zip(sent, calls, strict=True):
            save_arrays(path, inputs)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"inputs": [*map(str, sent)], "outputs": [*map(str, received)]}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer tells why the process is gone
        self._answer("failed")
        return [load_arrays(path) for path in received]

    def _answer(self, what: str) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.ended = True
            self._errors.seek(0)
            tail = self._errors.read().strip().splitlines()[-1:] or ["no message"]
            raise RuntimeFailure(f"{self._what} {what}: its process ended ({tail[0]})")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeFailure(f"{self._what} {what}: {answer['error']}")

    def close(self) -> None:
        """End the process and remove its files."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # of what a process that has ended was to read
                self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:  # all answers are here: what it does besides is nobody's concern
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()
        self._dir.cleanup()
