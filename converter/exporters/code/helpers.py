"""Small functions and classes that emitted code may need. A file gets those it uses and what those use, callees first."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Helpers:
    """The helpers of one framework, read from files that are never imported by us."""

    folder: Path
    files: tuple[str, ...]

    @functools.cached_property
    def sources(self) -> dict[str, str]:
        """Name -> source of every helper."""
        texts = [(self.folder / name).read_text(encoding="utf-8") for name in self.files]
        parts = [p for text in texts for p in re.split(r"\n\n\n(?=def |class |@)", text[text.index("\n\n\n") :])]
        found = {}
        for part in parts:
            match = re.match(r"(?:@[^\n]*\n)*(?:def|class) (\w+)", part.strip("\n"))
            if match:
                found[match[1]] = part.strip("\n")
        return found

    def source_of(self, names: Sequence[str]) -> list[str]:
        """Source of the named helpers and of all that they call, each once, callees first."""
        known = self.sources
        ordered: dict[str, None] = {}

        def visit(name: str) -> None:
            for other in known:
                if other != name and other not in ordered and _reads(known[name], other):
                    visit(other)
            ordered[name] = None

        for name in names:
            visit(name)
        return [known[n] for n in ordered]


def _reads(source: str, name: str) -> bool:
    """Whether a helper calls another, is derived from it, or hands it on as its last argument."""
    return re.search(rf"(?<![.\w]){name}\(|^class \w+\({name}\b|, {name}\)", source, re.MULTILINE) is not None
