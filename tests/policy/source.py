"""What the policy tests read: the project's Python files and the imports each of them makes."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Import:
    """One imported module, where, and whether it runs when the importing module is loaded."""

    path: Path
    line: int
    module: str
    """Absolute dotted name; for `from a import b` it is `a.b` where that is a module of the project, else `a`."""
    lazy: bool
    """Inside a function."""
    typing_only: bool
    """Under `if TYPE_CHECKING:`."""

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def python_files(*folders: str) -> list[Path]:
    """Every .py file under the folders (of the repository root), in a stable order."""
    found = (p for f in folders for p in (ROOT / f).rglob("*.py"))
    return sorted(p for p in found if "__pycache__" not in p.parts)


def module_name(path: Path) -> str:
    """Dotted name of a file of the project: `ir/core/node.py` is `ir.core.node`, `ir/__init__.py` is `ir`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a file, parsed once."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(path: Path) -> list[Import]:
    """All imports of a file, relative ones resolved."""
    return list(_imports(path, parse(path), lazy=False, typing_only=False))


def _imports(path: Path, node: ast.AST, lazy: bool, typing_only: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(path, child.lineno, alias.name, lazy, typing_only)
        elif isinstance(child, ast.ImportFrom):
            for name in _from_targets(path, child):
                yield Import(path, child.lineno, name, lazy, typing_only)
        elif isinstance(child, ast.If) and _is_type_checking(child.test):
            for statement in child.body:
                yield from _imports(path, ast.Module([statement], []), lazy, typing_only=True)
            for statement in child.orelse:
                yield from _imports(path, ast.Module([statement], []), lazy, typing_only)
        else:
            inside = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(path, child, inside, typing_only)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def _from_targets(path: Path, node: ast.ImportFrom) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        package = module_name(path).split(".")
        if path.name != "__init__.py":
            package = package[:-1]
        package = package[: len(package) - (node.level - 1)]
        base = ".".join([*package, base]) if base else ".".join(package)
    for alias in node.names:
        full = f"{base}.{alias.name}"
        yield full if _is_project_module(full) else base


def _is_project_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()
