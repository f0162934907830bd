"""Outcomes in a file, one JSON object a line, so that a long run goes on where another stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

Outcome = TypeVar("Outcome")


def kept(state: Path | None, kind: Callable[..., Outcome]) -> list[Outcome]:
    """What the file holds; nothing where there is none."""
    if state is None or not state.exists():
        return []
    return [kind(**json.loads(line)) for line in state.read_text("utf-8").splitlines()]


def keep(state: Path | None, outcome: Any) -> None:
    """Add the outcome, a dataclass, to the file; its folder is made."""
    if state is None:
        return
    state.parent.mkdir(parents=True, exist_ok=True)
    with state.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(outcome)) + "\n")
