"""A process of a server is the process that the interpreter would be: streams, arguments, paths, ends; and the runner of
packages gives the same numbers and the same errors from both."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import converter
from converter.runtimes import RuntimeFailure, packages, processes
from tests.warm import python
from tests.warm.runtimes import FRESH

CODE = "import os, sys; print(__name__, sys.argv, sys.path[0], os.getcwd(), os.environ['SAID'], sys.stdin.read())"
ENDS = (
    "sys.exit(3)",
    "sys.exit('said')",
    "sys.exit()",
    "1 / 0",
    "os._exit(4)",
    "os.kill(os.getpid(), 9)",
    "print(end='x')",
)


def both(argv: list[str], folder: Path) -> list[tuple]:
    """Exit status and what was printed, from a server's process and from the interpreter."""
    environment = {**os.environ, "SAID": "so"}
    warm = python("torch", *argv, cwd=folder, environment=environment)
    plain = subprocess.run(
        [sys.executable, *argv], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return [(r.returncode, r.stdout, r.stderr.splitlines()[-1:]) for r in (warm, plain)]


def test_the_same_as_the_interpreter(tmp_path: Path) -> None:
    for name in ("script", "module"):
        (tmp_path / f"{name}.py").write_text(CODE)
    for argv in (["script.py", "a"], ["-I", "script.py"], ["-m", "module", "b"], ["-c", CODE, "c"], ["-I", "-c", CODE]):
        warm, plain = both(argv, tmp_path)
        assert warm == plain and plain[0] == 0
    for end in ENDS:
        warm, plain = both(["-c", f"import atexit, os, sys; atexit.register(print, 'end'); {end}"], tmp_path)
        assert warm == plain, end


def test_time_runs_out() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        python("torch", "-c", "import time; time.sleep(60)", timeout=0.5)


def test_packages_run_alike(tmp_path: Path) -> None:
    """Our own packages are out of reach in both, and a model's own error is told."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Softmax(-1)).eval()
    folder = converter.convert(net, "torch", tmp_path / "out", ("float32[n,3]",), verify=False).path
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)

    def answers() -> list[bytes | str]:
        with contextlib.closing(packages.PackageRunner(folder)) as runner:
            found: list[bytes | str] = [runner({"input": x})["output"].tobytes()]
        code = (folder / "model.py").read_text()
        for wrong in ("import converter", "raise ValueError('own words')"):
            (folder / "model.py").write_text(f"{wrong}\n{code}")
            with pytest.raises(RuntimeFailure) as caught:
                packages.PackageRunner(folder)
            found.append(str(caught.value))
        (folder / "model.py").write_text(code)
        return found

    assert processes.start is not FRESH
    warm = answers()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "start", FRESH)
        assert warm == answers()
    assert "own words" in str(warm[2]) and "converter" in str(warm[1])
