"""Loads every rule file. One file a family, with the family names of `ir/ops`."""

from __future__ import annotations

import functools
import importlib

from converter.importers.torch.context import rule

FAMILIES = (
    "activation", "attention", "cast", "comparison", "conv", "creation", "dropout", "elementwise", "embedding",
    "factor", "fourier", "indexing",
    "linalg", "logic", "norm", "ordering", "pool", "random", "recurrent", "reduction", "resize", "scatter", "shape", "slicing",
    "special", "triangular", "floats", "segments", "sampling", "distinct",
)  # fmt: skip


NOT_CONVERTED = (
    "aten._assert_tensor_metadata", "aten._assert_scalar", "aten._assert_async",
    "aten.sym_", "aten._check", "isomorph.",
    "<built-in", "<function",
)  # fmt: skip
"""Targets that the reader deals with itself."""


def known(target: str) -> bool:
    """Whether an op has a rule, or needs none."""
    load()
    return target in rule or target.startswith(NOT_CONVERTED)


@functools.cache
def load() -> None:
    """Register all rules."""
    for family in FAMILIES:
        importlib.import_module(f"converter.importers.torch.rules_{family}")
    importlib.import_module("converter.importers.torch.scalars")
