"""HDF5 files that Keras 3 itself wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converter.errors import UsageError
from converter.importers.base import ImportOptions


def open_model(path: Path, file: Any, config: dict[str, Any], options: ImportOptions) -> Any:
    raise UsageError("later")
