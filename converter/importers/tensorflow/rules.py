"""Loads every family of rules."""

from __future__ import annotations

import importlib

FAMILIES: tuple[str, ...] = (
    "activation",
    "arithmetic",
    "cast",
    "comparison",
    "control",
    "conv",
    "creation",
    "detection",
    "elementwise",
    "factor",
    "fourier",
    "graph",
    "image",
    "indexing",
    "linalg",
    "lists",
    "logic",
    "loss",
    "norm",
    "ordering",
    "pool",
    "projective",
    "quantised",
    "quantize",
    "random",
    "rearrange",
    "recurrent",
    "reduction",
    "resize",
    "scatter",
    "segments",
    "shape",
    "slicing",
    "special",
    "state",
    "tables",
    "text",
)


def register() -> None:
    """Import all rule files, which fills the table."""
    for family in FAMILIES:
        importlib.import_module(f"converter.importers.tensorflow.rules_{family}")
