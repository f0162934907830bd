"""Files that hold Keras models, read as data before anything is loaded."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from converter import frameworks
from converter.errors import UsageError
from converter.importers.base import ImportOptions

HDF5 = b"\x89HDF\r\n\x1a\n"


def open_source(path: Path, options: ImportOptions) -> Any:
    """A live model of the installed Keras from a `.keras` archive or an HDF5 file of Keras 1, 2, tf.keras or 3; its weights
    are set, it is not compiled, and optimiser and losses in the file are not read.

    Raises UsageError for files that hold no model, UntrustedSource where reading would run code, ConversionError with
    every layer that cannot be read exactly.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    frameworks.require("keras")
    with path.open("rb") as file:
        head = file.read(len(HDF5))
    if head == HDF5:
        return _hdf5(path, options)
    if head[:2] == b"PK":
        return _archive(path, options)
    raise UsageError(f"{path}: neither a .keras archive nor an HDF5 file, or the beginning of it is damaged")


def _hdf5(path: Path, options: ImportOptions) -> Any:
    from converter.importers.keras.legacy import open_h5

    return open_h5(path, options)


def _archive(path: Path, options: ImportOptions) -> Any:
    from converter.importers.keras.stored.archive import open_archive

    if not zipfile.is_zipfile(path):
        raise UsageError(f"{path}: a damaged archive, or one cut short")
    if path.suffix != ".keras":
        raise UsageError(f"{path}: an archive, whose name must end in .keras to be read as a Keras model")
    return open_archive(path, options)
