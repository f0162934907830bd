"""Writing so that a result appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from converter.errors import UsageError


def check_target(path: Path, overwrite: bool) -> None:
    """Raise UsageError where `path` cannot become the output: it exists already, or its parent is missing or read-only."""
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already; use --overwrite (overwrite=True) to replace it")
    parent = path.absolute().parent
    existing = next(p for p in (parent, *parent.parents) if p.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise UsageError(f"{path} cannot be written: {existing} is not a writable folder")


@contextlib.contextmanager
def staging(path: Path) -> Iterator[Path]:
    """A folder beside `path` to write in; it is removed afterwards, whatever happened."""
    parent = path.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=parent))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(written: Path, path: Path) -> None:
    """Move a finished file or folder to its place. An existing one is set aside first and restored on failure."""
    aside = None
    if path.exists():
        aside = path.with_name(f".{path.name}.replaced-{os.getpid()}")
        path.rename(aside)
    try:
        written.rename(path)
    except OSError:
        if aside is not None:
            aside.rename(path)
        raise
    if aside is not None:
        shutil.rmtree(aside) if aside.is_dir() and not aside.is_symlink() else aside.unlink()
