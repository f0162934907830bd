"""Small functions and classes that emitted code may need. A file gets those it uses and what those use, callees first."""

from __future__ import annotations

import functools
import re
from pathlib import Path

_SOURCES = ("helper_source.py", "helper_source_recurrent.py")


@functools.cache
def helpers() -> dict[str, str]:
    """Name -> source of every helper, read from the files of helpers."""
    texts = [Path(__file__).with_name(name).read_text(encoding="utf-8") for name in _SOURCES]
    parts = [p for text in texts for p in re.split(r"\n\n\n(?=def |class )", text[text.index("\n\n\n") :])]
    found = {}
    for part in parts:
        match = re.match(r"(?:def|class) (\w+)", part.strip("\n"))
        if match:
            found[match[1]] = part.strip("\n")
    return found


def source_of(names: list[str]) -> list[str]:
    """Source of the named helpers and of all that they call, each once, callees first."""
    known = helpers()
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        for other in known:
            if other != name and other not in ordered and re.search(rf"(?<![.\w]){other}\(", known[name]):
                visit(other)
        ordered[name] = None

    for name in names:
        visit(name)
    return [known[n] for n in ordered]
