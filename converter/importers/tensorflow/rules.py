"""Loads every family of rules."""

from __future__ import annotations

import importlib

FAMILIES: tuple[str, ...] = ("control", "conv", "graph", "loss", "norm", "pool", "state")


def register() -> None:
    """Import all rule files, which fills the table."""
    for family in FAMILIES:
        importlib.import_module(f"converter.importers.tensorflow.rules_{family}")
