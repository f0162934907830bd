"""A handler for every exception says why."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.policy.source import ROOT, python_files

REASON = re.compile(r"#\s*noqa:\s*BLE001 - \S+")
BLIND = {"Exception", "BaseException"}


def blind_handlers(text: str) -> Iterator[int]:
    """Lines of handlers that catch everything, give no reason, and do not end by raising."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        is_blind = any(k is None or (isinstance(k, ast.Name) and k.id in BLIND) for k in kinds)
        if is_blind and not isinstance(node.body[-1], ast.Raise) and not REASON.search(lines[node.lineno - 1]):
            yield node.lineno


@pytest.mark.parametrize("folder", ["ir", "converter", "fixtures", "tests"])
def test_no_blind_except(folder: str) -> None:
    found = [
        f"{p.relative_to(ROOT)}:{line}" for p in python_files(folder) for line in blind_handlers(Path(p).read_text())
    ]
    assert not found, "catch what you expect, or add `# noqa: BLE001 - reason`:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("handler", "blind"),
    [
        ("except:", True),
        ("except Exception:", True),
        ("except (ValueError, BaseException) as e:", True),
        ("except Exception:  # noqa: BLE001", True),
        ("except Exception:  # noqa: BLE001 - a report of what was seen", False),
        ("except ValueError:", False),
        ("except Exception as e:\n    raise ValueError from e", False),
    ],
)
def test_the_finder_knows_blind_handlers(handler: str, blind: bool) -> None:
    assert bool(list(blind_handlers(f"try:\n    pass\n{handler}\n" + ("" if "raise" in handler else "    pass\n")))) is blind
