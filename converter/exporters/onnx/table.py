"""The table of ONNX export rules. A rule takes the context and a node and returns the tensor or tensors of its outputs.

An expansion rewrites a node of the IR into smaller ones where ONNX lacks what it says; it returns None where the node
can be written as it is. Expansions run before the rules, and again on what they make.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converter.exporters.base import RuleTable
from ir.types import dtypes

RULES = RuleTable("ONNX", "converter/exporters/onnx/rules_{family}.py")
rule = RULES.rule

Expansion = Callable[..., Any]
"""`(builder, node) -> value, tuple of values, or None`."""

EXPANSIONS: dict[str, Expansion] = {}


def expand(*ops: str) -> Callable[[Expansion], Expansion]:
    """Decorator: register the expansion of each of `ops`; raises ValueError on a second one for an op."""

    def register(function: Expansion) -> Expansion:
        for op in ops:
            if op in EXPANSIONS:
                raise ValueError(f"ONNX: op {op!r} has two expansions, {EXPANSIONS[op]} and {function}")
            EXPANSIONS[op] = function
        return function

    return register


def not_float64(node: Any) -> str | None:
    """For ops whose kernel, or whose attributes, have float32 precision only: float64 takes the decomposition."""
    double = any(v.type.dtype == dtypes.float64 for v in node.inputs)
    return "ONNX Runtime computes it in float32 precision only" if double else None
