"""ONNX's node cases as they are read: the IR of each, or its refusal."""

from __future__ import annotations

from tests.importers.onnx import node_cases
from tests.written.areas import Texts


def groups() -> list[str]:
    """Names of cases."""
    return [case.name for case in node_cases.compared()]


def texts(group: str) -> Texts:
    """The text of a case."""
    case = next(c for c in node_cases.compared() if c.name == group)
    yield group, node_cases.outcome_of(case).text
