"""Version numbers as files of Keras have them."""

from __future__ import annotations

from typing import Any


def version_of(text: Any) -> tuple[int, int] | None:
    """(major, minor) from `2.3.1`, `2.4.0` or `2.2.4-tf`; None where there is no such thing."""
    parts = str(text or "").split(".")
    if len(parts) < 2 or not parts[0].isdigit():
        return None
    minor = "".join(c for c in parts[1] if c.isdigit())
    return int(parts[0]), int(minor or 0)
