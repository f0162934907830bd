"""Running the command in a process of its own."""

import subprocess
import sys

from tests.warm import python

CODE = "from converter.cli import main; main()"


def isomorph(*args, cwd=None):
    """`isomorph ARGS` by a fresh interpreter: the completed process, output captured."""
    command = [sys.executable, "-c", CODE, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, check=False)


def forked(*args, cwd=None, keras=False):
    """The same by a process that begins with the frameworks imported, of which Keras is one where it is needed."""
    return python("command for keras" if keras else "command", "-c", CODE, *args, cwd=cwd)
