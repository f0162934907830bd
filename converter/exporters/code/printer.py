"""The one printer: expressions and statements to text, laid out as the common formatters would.

A line that is too long is broken at its outermost bracket: first with the contents on one line of their own, else one
item a line with a trailing comma.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import (
    Attr,
    Binary,
    Call,
    Dct,
    Expr,
    Generator,
    Hole,
    IfElse,
    Index,
    Lit,
    Lst,
    Name,
    Slice,
    Star,
    Tup,
    Unary,
    Var,
)  # fmt: skip

WIDTH = 100
INDENT = "    "
_PRECEDENCE = {
    "or": 3, "and": 4, "in": 6, "is": 6, "is not": 6, "<": 6, "<=": 6, ">": 6, ">=": 6, "==": 6, "!=": 6,
    "|": 7, "^": 8, "&": 9, "<<": 10, ">>": 10, "+": 11, "-": 11, "*": 12, "/": 12, "//": 12, "%": 12, "@": 12,
    "**": 14,
}  # fmt: skip
_UNARY = {"not": 5, "-": 13, "~": 13}
_ATOM = 16


def precedence(expr: Expr) -> int:
    """How tightly an expression binds; 0 for a starred or sliced one."""
    if isinstance(expr, Binary):
        return _PRECEDENCE[expr.op]
    if isinstance(expr, Unary):
        return _UNARY[expr.op]
    if isinstance(expr, IfElse):
        return 2
    if isinstance(expr, Lit) and isinstance(expr.value, (int, float)) and _negative(expr.value):
        return _UNARY["-"]
    if isinstance(expr, Hole):
        return precedence(expr.value)
    return _ATOM


def _negative(value: float) -> bool:
    return math.copysign(1, value) < 0 if isinstance(value, float) else value < 0


@dataclass(frozen=True)
class Printer:
    """Prints with `name_of` deciding what a variable is called."""

    name_of: Callable[[Var], str] = lambda v: v.hint or "value"
    width: int = WIDTH
    hole: Callable[[Hole], str] | None = None

    # -- expressions on one line ----------------------------------------------------------------------------------
    def flat(self, expr: Expr) -> str:
        """The expression on one line."""
        return _FLAT[type(expr)](self, expr)

    def _at(self, expr: Expr, minimum: int) -> str:
        text = self.flat(expr)
        return f"({text})" if precedence(expr) < minimum else text

    def _hole(self, expr: Hole) -> str:
        return self.hole(expr) if self.hole is not None else self.flat(expr.value)

    def _attr(self, expr: Attr) -> str:
        text = self._at(expr.value, _ATOM)
        bare = isinstance(expr.value, Lit) and not text.startswith("(")  # 1.real is no Python
        return f"({text}).{expr.attr}" if bare else f"{text}.{expr.attr}"

    def _binary(self, expr: Binary) -> str:
        level = _PRECEDENCE[expr.op]
        right_first = expr.op == "**"
        left = self._at(expr.left, level + 1 if right_first else level)
        if level == 6 and isinstance(expr.left, Binary) and _PRECEDENCE[expr.left.op] == 6:
            left = f"({self.flat(expr.left)})"  # a < b < c would chain
        right = self._at(expr.right, level if right_first else level + 1)
        simple = right_first and all(isinstance(e, (Var, Name, Lit, Attr)) for e in (expr.left, expr.right))
        return f"{left}{expr.op}{right}" if simple else f"{left} {expr.op} {right}"

    def _unary(self, expr: Unary) -> str:
        gap = " " if expr.op == "not" else ""
        return f"{expr.op}{gap}{self._at(expr.operand, _UNARY[expr.op])}"

    def _if_else(self, expr: IfElse) -> str:
        return f"{self._at(expr.then, 3)} if {self._at(expr.test, 3)} else {self._at(expr.other, 2)}"

    def _tuple(self, expr: Tup) -> str:
        inner = ", ".join(self.flat(i) for i in expr.items)
        return f"({inner},)" if len(expr.items) == 1 else f"({inner})"

    def _list(self, expr: Lst) -> str:
        only = expr.items[0] if len(expr.items) == 1 else None
        if isinstance(only, Star) and isinstance(only.value, Generator):  # a comprehension
            return f"[{self._generator(only.value)[1:-1]}]"
        return f"[{', '.join(self._bracket_items(expr))}]"

    def _index(self, expr: Index) -> str:
        return f"{self._at(expr.value, _ATOM)}[{', '.join(self._bracket_items(expr))}]"

    def _slice(self, expr: Slice) -> str:
        simple = all(
            p is None or isinstance(p, (Var, Name, Lit, Hole)) or _is_negative_atom(p) for p in (expr.start, expr.stop)
        )
        colon = ":" if simple else " : "
        text = f"{self._part(expr.start)}{colon}{self._part(expr.stop)}".strip()
        return text if expr.step is None else f"{text}{colon}{self._part(expr.step)}".strip()

    def _part(self, expr: Expr | None) -> str:
        return "" if expr is None else self.flat(expr)

    def _generator(self, expr: Generator) -> str:
        return f"({self.flat(expr.element)} for {expr.target} in {self.flat(expr.iterable)})"

    def _call(self, expr: Call) -> str:
        if len(expr.args) == 1 and not expr.kwargs and isinstance(expr.args[0], Generator):
            return self._at(expr.func, _ATOM) + self._generator(expr.args[0])  # its own brackets are the call's
        return f"{self._at(expr.func, _ATOM)}({', '.join(self._bracket_items(expr))})"

    def _bracket_items(self, expr: Expr) -> list[str]:
        return [prefix + self.flat(item) for prefix, item in _items(expr)]

    # -- expressions over several lines -----------------------------------------------------------------------------
    def lines(self, prefix: str, expr: Expr, suffix: str, depth: int) -> list[str]:
        """`prefix expr suffix` at an indentation depth, broken where it does not fit."""
        pad = INDENT * depth
        one = f"{pad}{prefix}{self.flat(expr)}{suffix}"
        if len(one) <= self.width:
            return [one]
        if isinstance(expr, Hole) and self.hole is None:
            return self.lines(prefix, expr.value, suffix, depth)
        brackets = self._brackets(expr)
        if brackets is not None:
            return self._broken(f"{pad}{prefix}{brackets[0]}", expr, f"{pad}{brackets[1]}{suffix}", depth + 1)
        if isinstance(expr, IfElse):
            inner = [
                *self.lines("", expr.then, "", depth + 1),
                *self.lines("if ", expr.test, "", depth + 1),
                *self.lines("else ", expr.other, "", depth + 1),
            ]
            return [f"{pad}{prefix}(", *inner, f"{pad}){suffix}"]
        if isinstance(expr, Binary) and not prefix.endswith("("):
            return [f"{pad}{prefix}(", *self._chain(expr, depth + 1), f"{pad}){suffix}"]
        return [one]

    def _brackets(self, expr: Expr) -> tuple[str, str] | None:
        if isinstance(expr, Call) and (expr.args or expr.kwargs):
            return self._at(expr.func, _ATOM) + "(", ")"
        if isinstance(expr, Index):
            return self._at(expr.value, _ATOM) + "[", "]"
        if isinstance(expr, (Tup, Lst, Dct)) and expr.items:
            return {Tup: ("(", ")"), Lst: ("[", "]"), Dct: ("{", "}")}[type(expr)]
        if isinstance(expr, Star):
            inner = self._brackets(expr.value)
            return None if inner is None else ("*" + inner[0], inner[1])
        return None

    def _broken(self, opening: str, expr: Expr, closing: str, depth: int) -> list[str]:
        pad = INDENT * depth
        inner = expr.value if isinstance(expr, Star) else expr
        parts = _items(inner)
        comma = "," if isinstance(inner, Tup) and len(parts) == 1 else ""  # without it, no tuple
        together = pad + ", ".join(self._bracket_items(inner)) + comma
        if len(together) <= self.width and not isinstance(inner, (Lst, Dct)):
            return [opening, together, closing]
        if len(parts) == 1 and isinstance(parts[0][1], (Star, Generator)):
            return [opening, *self.lines(parts[0][0], parts[0][1], comma, depth), closing]
        body = [line for prefix, part in parts for line in self.lines(prefix, part, ",", depth)]
        return [opening, *body, closing]

    def _chain(self, expr: Binary, depth: int) -> list[str]:
        """`a\\n+ b\\n+ c`: operators of one precedence lead their lines."""
        level = _PRECEDENCE[expr.op]
        first: list[str]
        if isinstance(expr.left, Binary) and _PRECEDENCE[expr.left.op] == level:
            first = self._chain(expr.left, depth)
        else:
            first = self._operand("", expr.left, level, depth)
        return first + self._operand(f"{expr.op} ", expr.right, level + 1, depth)

    def _operand(self, prefix: str, expr: Expr, minimum: int, depth: int) -> list[str]:
        if precedence(expr) < minimum:
            return self.lines(prefix + "(", expr, ")", depth)
        return self.lines(prefix, expr, "", depth)

    # -- statements ---------------------------------------------------------------------------------------------
    def block(self, body: Iterable[s.Stmt], depth: int = 0) -> list[str]:
        """Lines of a block at an indentation depth; local functions stand apart."""
        out: list[str] = []
        apart = False
        for statement in body:
            local = isinstance(statement, s.FunctionDef) and depth > 0
            out += [""] if out and (local or apart) else []
            out += self.statement(statement, depth)
            apart = local
        return out

    def statement(self, statement: s.Stmt, depth: int) -> list[str]:
        """Lines of one statement."""
        pad = INDENT * depth
        if isinstance(statement, s.Assign):
            return self.lines(self._target(statement.target) + " = ", statement.value, "", depth)
        if isinstance(statement, s.Do):
            return self.lines("", statement.value, "", depth)
        if isinstance(statement, s.Return):
            return [pad + "return"] if statement.value is None else self._return(statement.value, depth)
        if isinstance(statement, s.Check):
            head = self.lines("if ", _negated(statement.test), ":", depth)
            return head + self.lines("raise ", Call(Name("ValueError"), (statement.message,)), "", depth + 1)
        if isinstance(statement, s.If):
            rest = [pad + "else:", *self.block(statement.orelse, depth + 1)] if statement.orelse else []
            return self.lines("if ", statement.test, ":", depth) + self.block(statement.body, depth + 1) + rest
        if isinstance(statement, s.For):
            head = self.lines(f"for {self._target(statement.target)} in ", statement.iterable, ":", depth)
            return head + self.block(statement.body, depth + 1)
        if isinstance(statement, s.While):
            return self.lines("while ", statement.test, ":", depth) + self.block(statement.body, depth + 1)
        if isinstance(statement, s.Text):
            return [pad + line if line else "" for line in statement.text.splitlines()]
        if isinstance(statement, s.FunctionDef):
            return self._function(statement, depth)
        if isinstance(statement, s.ClassDef):
            return self._class(statement, depth)
        if isinstance(statement, s.Break):
            return [pad + "break"]
        raise TypeError(f"no way to print {type(statement).__name__}")

    def _return(self, value: Expr, depth: int) -> list[str]:
        one = f"{INDENT * depth}return {self._target(value)}"
        return [one] if isinstance(value, Tup) and len(one) <= self.width else self.lines("return ", value, "", depth)

    def _target(self, target: Expr) -> str:
        text = self.flat(target)
        bare = isinstance(target, Tup) and len(target.items) > 1
        return text[1:-1] if bare else text

    def _function(self, function: s.FunctionDef, depth: int) -> list[str]:
        pad = INDENT * depth
        params = [self._param(p) for p in function.params]
        arrow = f" -> {function.returns}" if function.returns else ""
        head = f"{pad}def {function.name}({', '.join(params)}){arrow}:"
        lines = [head]
        if len(head) > self.width:
            inner = INDENT * (depth + 1)
            together = inner + ", ".join(params)
            lines = [f"{pad}def {function.name}("]
            lines += [together] if len(together) <= self.width else [f"{inner}{p}," for p in params]
            lines.append(f"{pad}){arrow}:")
        doc = _docstring(function.doc, depth + 1)
        doc += [""] if doc and function.body and isinstance(function.body[0], s.FunctionDef) else []
        return [*(pad + d for d in function.decorators), *lines, *doc, *self.block(function.body, depth + 1)]

    def _param(self, param: s.Param) -> str:
        if param.star:
            return "*"
        text = f"{param.name}: {param.annotation}" if param.annotation else param.name
        if param.default is None:
            return text
        equals = " = " if param.annotation else "="
        return f"{text}{equals}{self.flat(param.default)}"

    def _class(self, cls: s.ClassDef, depth: int) -> list[str]:
        bases = f"({', '.join(cls.bases)})" if cls.bases else ""
        out = [f"{INDENT * depth}class {cls.name}{bases}:", *_docstring(cls.doc, depth + 1)]
        for i, member in enumerate(cls.body):
            gap = [""] if i or cls.doc else []
            out += [*(gap if isinstance(member, s.FunctionDef) or i == 0 else []), *self.statement(member, depth + 1)]
        return out


def _negated(test: Expr) -> Expr:
    opposite = {"==": "!=", "!=": "==", "<": ">=", ">": "<=", "<=": ">", ">=": "<", "is": "is not"}
    if isinstance(test, Binary) and test.op in opposite:
        return Binary(opposite[test.op], test.left, test.right)
    return Unary("not", test)


def _docstring(doc: str, depth: int) -> list[str]:
    if not doc:
        return []
    lines = ('"""' + doc + '"""').splitlines()
    return [INDENT * depth + line if line else "" for line in lines]


def _is_negative_atom(expr: Expr) -> bool:
    return isinstance(expr, Unary) and isinstance(expr.operand, (Var, Name, Lit))


def _items(expr: Expr) -> list[tuple[str, Expr]]:
    """What stands between an expression's brackets: (prefix such as `axis=`, expression)."""
    if isinstance(expr, Call):
        return [("", a) for a in expr.args] + [(f"{k}=", v) for k, v in expr.kwargs]
    if isinstance(expr, Dct):
        return [(Printer().flat(k) + ": ", v) for k, v in expr.items]
    items: Sequence[Expr] = expr.items  # type: ignore[assignment]  # of a Lst or a subscript
    return [("", i) for i in items]


def literal(value: object) -> str:
    """A Python value as source text that evaluates to exactly that value."""
    if isinstance(value, float) and not math.isfinite(value):
        return 'float("nan")' if math.isnan(value) else f'float("{"-" if value < 0 else ""}inf")'
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, complex):
        return f"complex({literal(value.real)}, {literal(value.imag)})"
    return repr(value)


_FLAT: dict[type, Callable[[Printer, Any], str]] = {
    Var: lambda p, e: p.name_of(e),
    Name: lambda p, e: e.id,
    Lit: lambda p, e: literal(e.value),
    Hole: Printer._hole,
    Attr: Printer._attr,
    Binary: Printer._binary,
    Unary: Printer._unary,
    IfElse: Printer._if_else,
    Tup: Printer._tuple,
    Lst: Printer._list,
    Dct: lambda p, e: "{" + ", ".join(p._bracket_items(e)) + "}",
    Index: Printer._index,
    Slice: Printer._slice,
    Star: lambda p, e: "*" + p._at(e.value, 7),
    Generator: Printer._generator,
    Call: Printer._call,
}
