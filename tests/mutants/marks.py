"""Which statements of some files run: each says so itself, since tracing makes all that runs several times slower."""

from __future__ import annotations

import ast
import builtins
import types
from collections.abc import Collection, Iterable

from tests.mutants.plant import Live, compiled, give, plant_at_import
from tests.mutants.reach import Lines

NAME = "__mutants_reached__"


class Marks:
    """Statements of functions that have run since `take` was called; for a process of its own, which the marks stay in."""

    def __init__(self, files: Collection[str], live: Live) -> None:
        self._lines: list[list[tuple[str, int]]] = []
        self._run: set[int] = set()
        setattr(builtins, NAME, self._run.add)
        codes = {file: self._marked(file) for file in files}
        for file, code in codes.items():
            give(file, code, live)
        plant_at_import(codes)

    def take(self) -> Lines:
        """The lines of what has run, which is forgotten."""
        found = {line for i in self._run for line in self._lines[i]}
        self._run.clear()
        return found

    def _marked(self, file: str) -> types.CodeType:
        with open(file, encoding="utf-8") as source:
            tree = ast.parse(source.read())
        for node in [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]:
            start = 1 if ast.get_docstring(node, clean=False) is not None else 0
            head = self._mark(file, _head(node), node.body[0])
            node.body[start:] = [head, *self._with_marks(file, node.body[start:])]
        for node in [n for n in ast.walk(tree) if isinstance(n, ast.Lambda)]:
            mark = self._mark(file, range(node.lineno, (node.end_lineno or node.lineno) + 1), node.body).value
            node.body = ast.copy_location(
                ast.Subscript(ast.Tuple([mark, node.body], ast.Load()), ast.Constant(1), ast.Load()), node.body
            )
        return compiled(file, ast.fix_missing_locations(tree))

    def _with_marks(self, file: str, body: list[ast.stmt]) -> list[ast.stmt]:
        """The statements of a function's block with a mark before each; functions within have their own."""
        found: list[ast.stmt] = []
        for node in body:
            found += [self._mark(file, _head(node), node), node]
            if isinstance(node, ast.FunctionDef):
                continue
            for part in [node, *getattr(node, "handlers", []), *getattr(node, "cases", [])]:
                for name in ("body", "orelse", "finalbody"):
                    inner = getattr(part, name, None)
                    if isinstance(inner, list) and inner:
                        setattr(part, name, self._with_marks(file, inner))
        return found

    def _mark(self, file: str, lines: Iterable[int], at: ast.AST) -> ast.Expr:
        self._lines.append([(file, line) for line in lines])
        number = ast.Constant(len(self._lines) - 1)
        return ast.copy_location(ast.Expr(ast.Call(ast.Name(NAME, ast.Load()), [number], [])), at)


def _head(node: ast.stmt) -> Iterable[int]:
    """The lines of a statement that are no statement's within it."""
    last = node.end_lineno or node.lineno
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    if isinstance(node, ast.Match):
        inner = {n for case in node.cases for part in case.body for n in range(part.lineno, (part.end_lineno or 0) + 1)}
        return [n for n in range(first, last + 1) if n not in inner or any(c.pattern.lineno == n for c in node.cases)]
    inside = getattr(node, "body", None)
    if not isinstance(inside, list):
        return range(first, last + 1)
    caught = [n for h in getattr(node, "handlers", []) for n in range(h.lineno, h.body[0].lineno)]
    return [*range(first, max(first, inside[0].lineno - 1) + 1), *caught]
