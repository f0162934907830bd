"""Processes for the tests that begin with their framework imported: forked from a server that has imported it once.

What runs in one is what would run in a fresh interpreter: a script, a module or code, with its own standard streams, its
environment and working directory, and the exit status. `tests/warm/test_warm.py` holds the two against each other.
"""

from tests.warm.client import SERVERS, Process, python, server, start

__all__ = ["SERVERS", "Process", "python", "server", "start"]
