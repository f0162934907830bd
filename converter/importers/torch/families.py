"""Loads every rule file. One file a family, with the family names of `ir/ops`."""

from __future__ import annotations

import functools
import importlib

FAMILIES = (
    "activation", "attention", "cast", "comparison", "conv", "creation", "dropout", "elementwise", "embedding", "indexing",
    "linalg", "logic", "norm", "pool", "recurrent", "reduction", "resize", "scatter", "shape", "slicing",
)  # fmt: skip


@functools.cache
def load() -> None:
    """Register all rules."""
    for family in FAMILIES:
        importlib.import_module(f"converter.importers.torch.rules_{family}")
