"""Importing this module registers every rule and form."""

from __future__ import annotations

import importlib
import pkgutil

import converter.exporters.keras as package
from converter.exporters.keras.table import FORMS, TABLE

for _info in pkgutil.iter_modules(package.__path__):
    if _info.name.startswith("rules_"):
        importlib.import_module(f"{package.__name__}.{_info.name}")

__all__ = ["FORMS", "TABLE"]
