"""Registers the rules of every family."""

from __future__ import annotations

import functools
import importlib
import pkgutil


@functools.cache
def register() -> None:
    """Import every `rules_<family>` module beside this one."""
    package = importlib.import_module(__package__ or "")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("rules_"):
            importlib.import_module(f"{__package__}.{module.name}")
