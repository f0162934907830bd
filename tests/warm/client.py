"""Asks the servers for processes: one server for each set of modules, started when first needed."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

MODULES = {
    "torch": ("torch", "numpy", "safetensors.torch"),
    "tensorflow": ("tensorflow", "keras"),
    "onnx": ("onnxruntime", "ml_dtypes", "converter.runtimes.onnxruntime"),
    "jax": ("keras",),
    "keras on torch": ("keras",),
    "command": ("torch", "onnx", "onnxruntime", "converter.cli", "converter.api"),
    "command for keras": ("torch", "onnx", "onnxruntime", "keras", "h5py", "converter.cli", "converter.api"),
}
"""What each server has imported."""
SERVERS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "keras on torch"}
"""The server for a backend of Keras."""


class Server:
    """A process that has imported `modules` and forks others."""

    def __init__(self, name: str) -> None:
        backend = next((b for b, served in SERVERS.items() if served == name), "tensorflow")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        command = [sys.executable, "-I", str(Path(__file__).with_name("server.py")), str(theirs.fileno())]
        self._process = subprocess.Popen(
            [*command, *MODULES[name]], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}, pass_fds=[theirs.fileno()],
        )  # fmt: skip
        theirs.close()
        atexit.register(self.close)

    def start(
        self, argv: Sequence[str], environment: Mapping[str, str], directory: str | Path, streams: Sequence[int]
    ) -> int:
        """Run `python ARGV` on these standard streams; a descriptor that tells its number, then its exit status."""
        reading, writing = os.pipe()
        request = {"argv": list(argv), "environment": dict(environment), "directory": str(directory)}
        socket.send_fds(self._control, [json.dumps(request).encode()], [*streams, writing])
        os.close(writing)
        return reading

    def close(self) -> None:
        """End the server; its children go on."""
        self._control.close()
        self._process.wait(timeout=60)


@functools.cache
def server(name: str) -> Server:
    """This process's own server of that name."""
    return Server(name)


class Status:
    """What becomes of a process that a server started."""

    def __init__(self, descriptor: int) -> None:
        self._pipe, self._text = descriptor, b""
        self.returncode: int | None = None

    def poll(self, timeout: float | None = 0) -> int | None:
        """The exit status, once there is one within the time; -9 where the server has ended."""
        while self.returncode is None:
            if not select.select([self._pipe], [], [], timeout)[0]:
                return None
            self._read()
        return self.returncode

    def _read(self) -> None:
        part = os.read(self._pipe, 100)
        self._text += part
        told = self._text.split(b"\n")
        if len(told) == 3 or not part:
            self.returncode = int(told[1]) if len(told) == 3 else -signal.SIGKILL
            os.close(self._pipe)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; raises TimeoutExpired."""
        code = self.poll(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("a process of tests/warm", timeout or 0)
        return code

    def kill(self) -> None:
        """End the process at once."""
        while self.returncode is None and b"\n" not in self._text:
            self._read()
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(self._text.partition(b"\n")[0]), signal.SIGKILL)


class Process(Status):
    """As much of `subprocess.Popen` as is used of a process that answers lines with lines."""

    def __init__(self, descriptor: int, stdin: IO[str], stdout: IO[str]) -> None:
        super().__init__(descriptor)
        self.stdin, self.stdout = stdin, stdout


def start(name: str, argv: Sequence[str], environment: Mapping[str, str], errors: int) -> Process:
    """`python ARGV` with pipes for its input and output, as text, and its errors to a descriptor."""
    (taken, given), (answers, told) = os.pipe(), os.pipe()
    status = server(name).start(argv, environment, os.getcwd(), [taken, told, errors])
    os.close(taken)
    os.close(told)
    return Process(status, open(given, "w"), open(answers))


def python(
    name: str, *argv: object, cwd: str | Path | None = None, environment: Mapping[str, str] | None = None, timeout: float = 600
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """`python ARGV` to its end, its output captured."""
    words = [str(a) for a in argv]
    with open(os.devnull) as nothing, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        streams = [f.fileno() for f in (nothing, out, errors)]
        status = Status(server(name).start(words, {**os.environ, **(environment or {})}, cwd or os.getcwd(), streams))
        try:
            code = status.wait(timeout)
        except subprocess.TimeoutExpired:
            status.kill()
            raise
        out.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(words, code, out.read(), errors.read())
