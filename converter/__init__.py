"""Isomorph converts models between deep-learning frameworks. The names below are the public API; frameworks load when used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converter.api import Conversion, convert, load, run, verify
    from converter.errors import ConversionError, EnvironmentMissing, Unsupported, UntrustedSource, UsageError, VerificationError
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
    return getattr(importlib.import_module(_HOMES[name]), name)
