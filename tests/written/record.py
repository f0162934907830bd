"""The recorded digests."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

from tests.written.areas import Area

FOLDER = Path(__file__).with_name("digests")
DIGITS = 8


def digest(text: str) -> str:
    """A few digits that tell a text from others of its case."""
    return hashlib.blake2b(text.encode(), digest_size=DIGITS // 2).hexdigest()


@functools.cache
def recorded(area: Area) -> dict[str, str]:
    """By group, the digests of its cases in order, with blanks between."""
    found: dict[str, str] = json.loads((FOLDER / f"{area.name}.json").read_text("utf-8"))
    return found


def record(area: Area) -> None:
    """Write down what is written now."""
    found = {group: " ".join(digest(text) for _, text in area.texts(group)) for group in area.groups}
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{area.name}.json").write_text(json.dumps(found, indent=0) + "\n", "utf-8")


def changed(area: Area, group: str) -> list[tuple[str, str]]:
    """Cases of a group that are written otherwise than recorded, with their text; raises AssertionError where their
    number has changed."""
    texts = list(area.texts(group))
    digests = recorded(area).get(group, "").split()
    assert len(texts) == len(digests), f"{group} has {len(texts)} cases, {len(digests)} are recorded"
    return [(case, text) for (case, text), known in zip(texts, digests, strict=True) if digest(text) != known]
