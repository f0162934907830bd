"""Running the command in a process of its own."""

import subprocess
import sys


def isomorph(*args, cwd=None):
    """`isomorph ARGS`: the completed process, output captured."""
    code = "from converter.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, check=False)
