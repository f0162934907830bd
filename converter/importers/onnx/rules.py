"""Loads every family of rules."""

from __future__ import annotations

import importlib

FAMILIES = (
    "activation", "attention", "cast", "comparison", "control", "conv", "creation", "defined", "detection", "dropout", "elementwise",
    "indexing", "legacy", "linalg", "logic", "microsoft_activation", "microsoft_attention", "microsoft_conv", "microsoft_experts",
    "microsoft_gqa", "microsoft_linalg", "microsoft_norm", "microsoft_quantize", "microsoft_shape", "norm", "ordering", "pool", "quantize",
    "recurrent", "reduction", "resize", "sampling", "scatter", "sequence", "shape", "signal", "slicing",
)  # fmt: skip


def register() -> None:
    """Import all rule files, which fills the table."""
    for family in FAMILIES:
        importlib.import_module(f"converter.importers.onnx.rules_{family}")
