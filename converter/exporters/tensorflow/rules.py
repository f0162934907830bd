"""Importing this module registers every rule and form."""

from __future__ import annotations

import importlib
import pkgutil

import converter.exporters.tensorflow as package
from converter.exporters.tensorflow.table import FORMS, ORDERS, TABLE

for _info in pkgutil.iter_modules(package.__path__):
    if _info.name.startswith("rules_"):
        importlib.import_module(f"{package.__name__}.{_info.name}")

__all__ = ["FORMS", "ORDERS", "TABLE"]
