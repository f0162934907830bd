"""A source model: what the user named, the framework it belongs to, and the native object behind it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter import frameworks
from converter.errors import UsageError
from converter.importers.base import ImportOptions
from ir.core import Model


@dataclass
class Source:
    """`native` is the live object or checked path that the importer reads and the runtime runs."""

    given: Any
    framework: str
    native: Any
    options: ImportOptions

    def load(self, inputs: Any = None) -> Model:
        """The model in the IR. Raises ConversionError naming everything unsupported at once."""
        model = self._importer().load(self.native, inputs, options=self.options)
        model.metadata.setdefault(
            "source", str(self.given) if isinstance(self.given, (str, Path)) else type(self.given).__name__
        )
        return model

    def _importer(self) -> Any:
        return importlib.import_module(f"converter.importers.{self.framework}")


def open_source(given: Any, framework: str | None = None, options: ImportOptions | None = None) -> Source:
    """Detect the framework and open the source; raises UsageError for a missing, unreadable or untrusted one."""
    options = options or ImportOptions()
    found = framework or frameworks.detect(given)
    if found.startswith("package:"):
        found = found.removeprefix("package:")
        from converter.runtimes.packages import load_package

        return Source(given, found, load_package(Path(given)), options)
    if found not in frameworks.SOURCES:
        raise UsageError(f"models of {found!r} cannot be read; known sources: {', '.join(frameworks.SOURCES)}")
    importer = importlib.import_module(f"converter.importers.{found}")
    return Source(given, found, importer.open_source(given, options), options)
