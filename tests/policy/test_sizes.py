"""Files and functions stay small enough to be read whole."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.policy.source import ROOT, parse, python_files

FILE_LINES = 500
FUNCTION_LINES = 70


def test_files_are_short() -> None:
    sizes = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in python_files("ir", "converter", "fixtures")}
    long = [f"{p.relative_to(ROOT)}: {n} lines" for p, n in sizes.items() if n > FILE_LINES]
    assert not long, f"over {FILE_LINES} lines:\n" + "\n".join(long)


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.end_lineno or node.lineno
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", last - node.lineno + 1


def test_functions_are_short() -> None:
    found = (f for p in python_files("ir", "converter", "fixtures") for f in _functions(p))
    long = [f"{name}: {n} lines" for name, n in found if n > FUNCTION_LINES]
    assert not long, f"over {FUNCTION_LINES} lines:\n" + "\n".join(long)
