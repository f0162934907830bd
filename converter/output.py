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
    taken = next((p for p in (path, companion(path)) if p.exists()), None)
    if taken is not None and not overwrite:
        path = taken
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


def companion(path: Path) -> Path:
    """The file of weights that may lie beside a written file; the file refers to it by this name."""
    return path.with_name(path.name + ".data")


def publish(written: Path, path: Path) -> None:
    """Move a finished file or folder to its place, and the weights beside a file with it.

    Existing ones are set aside first and restored on failure. A file that gets another name than its weights refer to
    becomes a folder of that name, in which both lie under their own.
    """
    weights = companion(written)
    if not weights.exists():
        _move([(written, path)])
    elif written.name == path.name:
        _move([(weights, companion(path)), (written, path)])
    else:
        folder = written.with_name(f"{written.name}.folder")
        folder.mkdir()
        _move([(weights, folder / weights.name), (written, folder / written.name)])
        _move([(folder, path)])


def _move(moves: list[tuple[Path, Path]]) -> None:
    """Rename all of them, or none."""
    undo: list[tuple[Path, Path]] = []
    asides: list[Path] = []
    try:
        for source, target in moves:
            if target.exists() or target.is_symlink():
                aside = target.with_name(f".{target.name}.replaced-{os.getpid()}")
                target.rename(aside)
                undo.append((aside, target))
                asides.append(aside)
            source.rename(target)
            undo.append((target, source))
    except OSError:
        for moved, back in reversed(undo):
            moved.rename(back)
        raise
    for aside in asides:
        shutil.rmtree(aside) if aside.is_dir() and not aside.is_symlink() else aside.unlink()
