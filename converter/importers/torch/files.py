"""Files that hold PyTorch models, read as data before anything is loaded."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from converter.errors import UntrustedSource, UsageError
from converter.importers.base import ImportOptions
from converter.importers.factories import call_factory, factory_of
from converter.importers.torch import archive
from converter.importers.torch.pickles import SAFE_GLOBALS, pickle_globals

_STATE_DICT = (
    "{}: holds weights (a state dict), not a model; build the module, load_state_dict() into it and pass the module, "
    "or name a function that does: file.py:factory"
)
_WHOLE = "{}: a pickled module ({}); unpickling executes code from the file: pass trust=True (--trust) only if you know it"


def open_source(text: str, options: ImportOptions) -> tuple[Any, Any]:
    """A module or ExportedProgram from a path, and its example inputs where the file brings them (else None).

    Raises UsageError for files that hold no model, UntrustedSource where reading would execute code.
    """
    if named := factory_of(text):
        return call_factory(*named, options)
    path = Path(text)
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    if not zipfile.is_zipfile(path):
        return _bare_pickle(path, options)
    try:
        with zipfile.ZipFile(path) as zipped:
            return _open_zip(path, zipped, options)
    except (zipfile.BadZipFile, EOFError) as error:
        raise UsageError(f"{path}: a damaged archive: {error}") from None


def _open_zip(path: Path, zipped: zipfile.ZipFile, options: ImportOptions) -> tuple[Any, Any]:
    names = zipped.namelist()
    if any(n.endswith("/archive_format") or n == "archive_format" for n in names):
        return archive.load_program(path, zipped, options), None
    if any("/code/" in n and n.endswith(".py") for n in names) or any(n.endswith("/constants.pkl") for n in names):
        return _torchscript(path, zipped, options), None
    member = next((n for n in names if n.endswith("/data.pkl") or n == "data.pkl"), None)
    if member is None:
        raise UsageError(f"{path}: a zip archive that is no PyTorch file")
    return _pickle(path, zipped.read(member), options)


def _torchscript(path: Path, zipped: zipfile.ZipFile, options: ImportOptions) -> Any:
    """A program: checked as data first, unless it is trusted."""
    import torch

    from converter.importers.torch.script import checks

    if not options.trust:
        checks.check(path, zipped)
    try:
        return torch.jit.load(str(path), map_location="cpu")
    except Exception as error:  # a damaged file can make torch's reader fail in any way
        raise UsageError(f"{path}: torch.jit.load fails: {str(error).strip().splitlines()[0]}") from error


def _bare_pickle(path: Path, options: ImportOptions) -> tuple[Any, Any]:
    """A file of the format before PyTorch 1.6, or no PyTorch file at all."""
    head = path.read_bytes()
    if not head.startswith(b"\x80"):
        raise UsageError(f"{path}: neither a PyTorch archive nor a pickle")
    return _pickle(path, head, options)


def _pickle(path: Path, data: bytes, options: ImportOptions) -> tuple[Any, Any]:
    try:
        named = list(pickle_globals(data))
    except ValueError as error:
        raise UsageError(f"{path}: a damaged or truncated pickle: {error}") from None
    foreign = [n for n in named if n not in SAFE_GLOBALS]
    if not foreign:
        raise UsageError(_STATE_DICT.format(path))
    if not options.trust:
        raise UntrustedSource(_WHOLE.format(path, ", ".join(dict.fromkeys(foreign[:3]))))
    return _unpickle(path), None


def _unpickle(path: Path) -> Any:
    import torch

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # unpickling runs the file's code, which may raise anything
        raise UsageError(f"{path}: cannot be unpickled: {type(error).__name__}: {error}") from error
    if not isinstance(loaded, torch.nn.Module):
        raise UsageError(_STATE_DICT.format(path))
    return loaded
