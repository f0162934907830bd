"""Which names of a file only serve `samples`, the data of the tests: a fault there is none of the code's."""

from __future__ import annotations

import ast
from collections.abc import Iterator

MAKER = "samples"


def sample_data(tree: ast.Module, imported: frozenset[str] = frozenset()) -> frozenset[str]:
    """`samples`, and every function, class and constant of the file that nothing else in it reads.

    `imported` are names that other files read. Attributes of classes are listed as `.name`; `cls.name` and `self.name` read them.
    """
    users = list(_uses(tree.body, ""))
    names = {name for name, _ in users} & set(_defined(tree.body))
    data = {MAKER}
    while True:
        readers = {n: {owner for name, owner in users if name == n} for n in names - data - imported}
        found = {n for n, owners in readers.items() if owners and all(_within(o, data | {n}) for o in owners) and owners != {n}}
        if not found:
            return frozenset(data)
        data |= found


def _defined(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """Functions, plain classes and constants; constants of a class, as `.name`, unless they declare an op's attribute."""
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield f"{prefix}{node.name}"
        elif isinstance(node, ast.ClassDef):
            yield from [] if node.decorator_list else [node.name]
            yield from _defined(node.body, ".")
        elif isinstance(node, ast.Assign):
            yield from (f"{prefix}{n.id}" for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield from [f"{prefix}{node.target.id}"] if not prefix or "ClassVar" in ast.unparse(node.annotation) else []


def _within(owner: str, data: set[str]) -> bool:
    return any(part in data or f".{part}" in data for part in owner.split("."))


def _uses(body: list[ast.stmt], owner: str) -> Iterator[tuple[str, str]]:
    """(name read, dotted names of the definitions it is read in)."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            inside = f"{owner}.{node.name}"
            for part in (*node.decorator_list, *getattr(node, "bases", ())):
                yield from _reads(part, inside)
            if isinstance(node, ast.ClassDef):
                yield from _uses(node.body, inside)
            else:
                yield from _reads(ast.Module([*node.body, *map(ast.Expr, node.args.defaults)], []), inside)
        else:
            names = [t.id for t in getattr(node, "targets", [getattr(node, "target", None)]) if isinstance(t, ast.Name)]
            yield from _reads(node, f"{owner}.{names[0]}" if names else owner)


def _reads(node: ast.AST, owner: str) -> Iterator[tuple[str, str]]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
            yield inner.id, owner
        elif isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name) and inner.value.id in ("cls", "self"):
            yield f".{inner.attr}", owner


def imported_names(trees: list[ast.Module]) -> frozenset[str]:
    """Names that files import from others."""
    nodes = (n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ImportFrom))
    return frozenset(alias.name for node in nodes for alias in node.names)
