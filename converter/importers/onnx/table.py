"""The table of ONNX rules, keyed (domain, op, since_version) exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converter.importers.base import RuleTable

RULES: RuleTable[Callable[..., Any]] = RuleTable("converter/importers/onnx")


def rule(op: str, *versions: int, domain: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a rule for an op in exactly the listed versions (the opsets since which a definition holds).

    A version that is not listed is refused: no definition stands in for another.
    """
    return RULES(*[(domain, op, v) for v in versions])


def microsoft(*ops: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a rule for operators of ONNX Runtime's own domain, which have one version."""
    return RULES(*[("com.microsoft", op, 1) for op in ops])
