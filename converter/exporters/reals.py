"""Complex numbers for targets that compute none: every complex tensor inside a model becomes a pair of real ones."""

from __future__ import annotations

from converter.errors import Unsupported
from converter.exporters.base import refusal
from ir.core import Model
from ir.passes import DeadCode
from ir.passes.real_pairs import has_complex, split

FILE = "ir/passes/real_pairs_rules.py"


def in_reals(model: Model, target: str, native: frozenset[str] = frozenset()) -> list[Unsupported]:
    """Turn every complex tensor into a pair of real ones, in place; returns what has no such form (the model is then not
    to be used). `target` is who has no complex numbers, in the words of a refusal; `native` are ops that it computes all the
    same (`ir.passes.real_pairs.split`)."""
    if not has_complex(model):
        return []
    refused = split(model, native)
    if not refused:
        DeadCode().run(model)  # parts that nothing reads
    return [refusal(node, f"{target} no complex numbers: {why}", FILE) for node, why in refused]
