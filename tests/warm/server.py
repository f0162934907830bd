"""Imports modules, then runs every request in a fork of itself. Started by path, isolated, never imported.

`server.py SOCKET MODULE...`: a request is one packet of JSON, `{"argv", "environment", "directory"}`, with four descriptors:
the child's standard streams, and where its number and, at the end, its exit status are told.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import traceback
import warnings

LARGEST = 1 << 20


class Children:
    """Who runs, where the end of each is told, and what has ended untold."""

    def __init__(self) -> None:
        self.told: dict[int, int] = {}
        self.ended: dict[int, int] = {}

    def add(self, number: int, descriptor: int) -> None:
        os.write(descriptor, f"{number}\n".encode())
        self.told[number] = descriptor
        self.tell()

    def tell(self, *_: object) -> None:
        """Collect those that have ended; a signal may come before the child is known."""
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                self.ended[found[0]] = os.waitstatus_to_exitcode(found[1])
        for number in self.told.keys() & self.ended.keys():
            descriptor = self.told.pop(number)
            with contextlib.suppress(BrokenPipeError):
                os.write(descriptor, f"{self.ended.pop(number)}\n".encode())
            os.close(descriptor)


def main(control: socket.socket, modules: list[str]) -> None:
    """Serve until nobody is left to ask."""
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what the children share is not written to
    children = Children()
    signal.signal(signal.SIGCHLD, children.tell)
    while True:
        packet, descriptors, _, _ = socket.recv_fds(control, LARGEST, 4)
        if not packet:
            return
        *streams, status = descriptors
        number = os.fork()
        if number == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (control.detach(), status, *children.told.values()):
                os.close(descriptor)
            child(json.loads(packet), streams)
        children.add(number, status)
        for descriptor in streams:
            os.close(descriptor)


def child(request: dict, streams: list[int]) -> None:
    """Run one request as the interpreter would, and leave without what the server would do at its end."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)
    sys.stderr = open(2, "w", buffering=1, closefd=False)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["directory"])
    wide_numbers()
    os._exit(run(request["argv"]))


def wide_numbers() -> None:
    """JAX reads the environment where it is imported."""
    if "jax" in sys.modules:
        sys.modules["jax"].config.update("jax_enable_x64", os.environ.get("JAX_ENABLE_X64") == "1")


def run(argv: list[str]) -> int:
    """The exit status of `python ARGV`."""
    code = 0
    try:
        execute(argv)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if not isinstance(end.code, int | None):
            print(end.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        code = 1
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 120
    return code


def execute(argv: list[str]) -> None:
    """`[-I] [-W ACTION] (-c CODE | -m MODULE | SCRIPT) ARG...`."""
    isolated, rest = argv[0] == "-I", list(argv)
    while rest[0] in ("-I", "-W"):
        if rest.pop(0) == "-W":
            warnings.simplefilter(rest.pop(0))  # type: ignore[arg-type]
    first, *rest = rest
    if first == "-c":
        sys.path[:0] = [] if isolated else [""]
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    elif first == "-m":
        sys.path[:0] = [] if isolated else [os.getcwd()]
        sys.argv = list(rest)
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[:0] = [] if isolated else [os.path.dirname(os.path.abspath(first))]
        sys.argv = [first, *rest]
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
