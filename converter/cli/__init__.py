"""The command `isomorph`."""

from converter.cli.main import main

__all__ = ["main"]
