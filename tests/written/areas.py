"""What is written in each area: by group (an op, a family of cases), the text of every case."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Texts = Iterator[tuple[str, str]]
"""(case, text)"""


@dataclass(frozen=True)
class Area:
    """A part of the product that writes text; `groups()` and `texts(group)` are in `module`."""

    name: str
    module: str

    @property
    def groups(self) -> list[str]:
        """Groups of cases, by name."""
        return importlib.import_module(self.module).groups()

    def texts(self, group: str) -> Texts:
        """The texts of a group, in order."""
        found: Callable[[str], Texts] = importlib.import_module(self.module).texts
        return found(group)


AREAS = {
    a.name: a
    for a in (
        Area("exporters_torch", "tests.written.exporters_torch"),
        Area("exporters_onnx", "tests.written.exporters_onnx"),
        Area("importers_onnx", "tests.written.importers_onnx"),
        Area("importers_torch", "tests.written.importers_torch"),
    )
}
