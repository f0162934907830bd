"""Isomorph converts models between deep-learning frameworks. Below is the public API; frameworks load when used."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converter.api import Conversion, convert, load, run, verify
    from converter.errors import (
        ConversionError,
        EnvironmentMissing,
        Unsupported,
        UntrustedSource,
        UsageError,
        VerificationError,
    )
    from converter.verification import VerificationReport

_HOMES = {
    "Conversion": "converter.api",
    "convert": "converter.api",
    "load": "converter.api",
    "run": "converter.api",
    "verify": "converter.api",
    "ConversionError": "converter.errors",
    "EnvironmentMissing": "converter.errors",
    "Unsupported": "converter.errors",
    "UntrustedSource": "converter.errors",
    "UsageError": "converter.errors",
    "VerificationError": "converter.errors",
    "VerificationReport": "converter.verification",
}

__all__ = [
    "Conversion", "ConversionError", "EnvironmentMissing", "Unsupported", "UntrustedSource", "UsageError", "VerificationError",
    "VerificationReport", "convert", "load", "run", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'converter' has no attribute {name!r}")
    check_ir()
    return getattr(importlib.import_module(_HOMES[name]), name)


def check_ir() -> None:
    """Raise ImportError in one line when a module of the user's own named `ir` hides our package."""
    spec = importlib.util.find_spec("ir")
    if spec is None or spec.submodule_search_locations is None:
        place = spec.origin if spec is not None else "nothing"
        raise ImportError(f"isomorph needs its package 'ir', but {place} is found under that name: rename or move it")
