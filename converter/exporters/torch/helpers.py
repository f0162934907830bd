"""Small functions and classes that emitted code may need. A file gets those it uses and what those use, callees first."""

from __future__ import annotations

import functools
import re
from pathlib import Path

_SOURCE = Path(__file__).with_name("helper_source.py")


@functools.cache
def helpers() -> dict[str, str]:
    """Name -> source of every helper, read from `helper_source.py`."""
    text = _SOURCE.read_text(encoding="utf-8")
    body = text[text.index("\n\n\n") :]
    parts = re.split(r"\n\n\n(?=def |class )", body)
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
