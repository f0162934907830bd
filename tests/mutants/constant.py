"""A changed constant of a module, put in place where the module is already loaded."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.mutants.areas import ROOT
from tests.mutants.faults import Fault
from tests.mutants.sample_data import MAKER

OURS = ("ir", "converter", "tests")


def constant_of(tree: ast.Module, fault: Fault) -> tuple[str, ast.expr] | None:
    """The name and value of the statement the fault lies in, if it only names a value, at the top of the file."""
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.lineno <= fault.line <= (node.end_lineno or 0):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if len(targets) == 1 and isinstance(targets[0], ast.Name) and node.value is not None:
                return targets[0].id, node.value
    return None


def readers(file: str, name: str) -> list[tuple[str, int, int]] | None:
    """The statements of functions, in modules that are loaded, that read a module's constant: file, first and last line.

    None where a changed value is not enough: the module is not loaded, what runs at import reads the constant, or what
    makes the data of tests, which is made by now.
    """
    module = _module(file)
    if module is None or not hasattr(module, name):
        return None
    found: list[tuple[str, int, int]] = []
    for other in _loaded():
        text = _text(other)
        for function, place in _reads(ast.parse(text).body, name) if name in text else ():
            data = other.__name__.startswith("tests.") or str(other.__file__).endswith("_samples.py")
            if data or function in ("", MAKER):
                return None
            found.append((str(other.__file__), place.lineno, place.end_lineno or place.lineno))
    return found


def put(file: str, name: str, value: ast.expr) -> bool:
    """Give the constant its changed value, in its module and in those that import it; False where it is the same."""
    module = _module(file)
    assert module is not None
    code = compile(ast.Expression(value), file, "eval", dont_inherit=True)
    old, new = getattr(module, name), eval(code, dict(vars(module)))  # noqa: S307 - our own source, changed
    for other in _loaded():
        if other is module or (vars(other).get(name) is old and _imports(other, module.__name__, name)):
            setattr(other, name, new)
    return repr(old) != repr(new)


def _imports(other: ModuleType, module: str, name: str) -> bool:
    nodes = [n for n in ast.walk(ast.parse(_text(other))) if isinstance(n, ast.ImportFrom) and n.module == module]
    return any(alias.name == name for n in nodes for alias in n.names)


def _text(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text("utf-8")


def _module(file: str) -> ModuleType | None:
    return next((m for m in _loaded() if m.__file__ == file), None)


def _loaded() -> list[ModuleType]:
    """Modules of ours, but not the engine's."""
    found = [m for n, m in list(sys.modules.items()) if n.split(".")[0] in OURS and not n.startswith("tests.mutants")]
    return [
        m
        for m in found
        if inspect.ismodule(m) and getattr(m, "__file__", None) and Path(str(m.__file__)).is_relative_to(ROOT)
    ]


def _reads(nodes: Any, name: str, function: str = "", inside: Any = None) -> Iterator[tuple[str, Any]]:
    """The function, "" for what runs at import, and the statement of every place that reads the name."""
    for node in nodes:
        renamed = isinstance(node, ast.alias) and node.name == name and node.asname not in (None, name)
        read = isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        if renamed or read or (isinstance(node, ast.Attribute) and node.attr == name):
            yield ("" if renamed else function), inside or node
        around = node if function and isinstance(node, ast.stmt) else inside
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            defaults = [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
            yield from _reads([*getattr(node, "decorator_list", []), *defaults], name, function, around)
            body = node.body if isinstance(node.body, list) else [node.body]
            own = function if function == MAKER else getattr(node, "name", function or "lambda")
            yield from _reads(body, name, own, around or node)
        else:
            yield from _reads(ast.iter_child_nodes(node), name, function, around)
