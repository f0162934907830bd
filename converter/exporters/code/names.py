"""Names: allocated once, never a keyword, a builtin or another live variable; dying names are reused along a chain."""

from __future__ import annotations

import builtins
import heapq
import keyword
import re
import unicodedata
from collections.abc import Iterable

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Name, Unary, Var, variables

GENERIC = ("x", "y", "z", "h", "u", "v", "w")
STREAM = {*GENERIC, "out", "hidden", "features", "hidden_states", "inputs", "image", "images", "input"}
RESERVED = {"self", "_", *keyword.kwlist, *keyword.softkwlist, *(n for n in dir(builtins) if not n.startswith("_"))}


def plain_word(text: str) -> str:
    """`text` as Python reads names (NFKC), each run of what no name may have replaced by one `_`."""
    normal = unicodedata.normalize("NFKC", text)
    return re.sub(r"\0+", "_", "".join(c if f"a{c}".isidentifier() else "\0" for c in normal))


def identifier(text: str, fallback: str = "value") -> str:
    """`text` made a Python identifier that is neither keyword nor builtin."""
    clean = plain_word(text).strip("_")
    if not clean or clean.isdigit():
        clean = f"{fallback}_{clean}" if clean else fallback
    if not clean[0].isidentifier():
        clean = f"_{clean}"
    return f"{clean}_" if clean in RESERVED else clean


def class_name(text: str, fallback: str = "Module") -> str:
    """`text` in CamelCase; a name that is CamelCase already stays."""
    words = [w for w in re.split(r"[^0-9A-Za-z]+", text) if w]
    camel = "".join(w[0].upper() + w[1:] for w in words)
    if not camel or not camel[0].isalpha():
        camel = fallback + camel
    return f"{camel}{fallback}" if keyword.iskeyword(camel) else camel


def snake_case(text: str) -> str:
    """`DecoderLayer` -> `decoder_layer`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text).lower()


class Namespace:
    """Names taken in one scope."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = set(taken)

    def new(self, wish: str) -> str:
        """`wish` if free, else with the first number that makes it free; taken from now on."""
        name, number = wish, 2
        while name in self.taken:
            name, number = _number(wish, number), number + 1
        self.taken.add(name)
        return name


class _Lifetimes:
    """Position of each variable's last read or repeated assignment, loops counted whole."""

    def __init__(self, body: list[s.Stmt]) -> None:
        self.position: dict[int, int] = {}
        self.last: dict[Var, int] = {}
        self._defined: dict[Var, int] = {}
        self._now = 0
        self._block(body, [])

    def _block(self, body: list[s.Stmt], loops: list[tuple[int, list[Var]]]) -> None:
        for stmt in body:
            self._now += 1
            here = self.position[id(stmt)] = self._now
            for expr in s.expressions(stmt):
                for var in variables(expr):
                    self._read(var, here, loops)
            if isinstance(stmt, (s.For, s.While, s.FunctionDef)):  # what a function reads, its names may not hide
                reads: list[Var] = (
                    [v for e in s.expressions(stmt) for v in variables(e)] if isinstance(stmt, s.While) else []
                )
                self._define(stmt, loops)
                self._block(stmt.body, [*loops, (here, reads)])
                self._now += 1
                for var in [*reads, *(s.targets(stmt) if isinstance(stmt, s.FunctionDef) else ())]:
                    self.last[var] = max(self.last.get(var, 0), self._now)
            else:
                for block in s.blocks(stmt):
                    self._block(block, loops)
                self._define(stmt, loops)

    def _define(self, stmt: s.Stmt, loops: list[tuple[int, list[Var]]]) -> None:
        """A variable that is assigned again keeps its name until then, read or not: what had the name would be lost."""
        here = self.position[id(stmt)]
        for var in s.targets(stmt):
            if var in self._defined:
                self._read(var, here, loops)
            self._defined.setdefault(var, here)

    def _read(self, var: Var, here: int, loops: list[tuple[int, list[Var]]]) -> None:
        self.last[var] = max(self.last.get(var, 0), here)
        for start, reads in loops:
            if self._defined.get(var, 0) <= start or var.mutable:
                reads.append(var)


def allocate(params: list[Var], body: list[s.Stmt], reserved: Iterable[str]) -> dict[Var, str]:
    """A name for every variable of a function. `reserved` are module-level names the function may mention."""
    allocator = _Allocator(body, set(reserved) | RESERVED)
    for var in params:
        allocator.name(var, None, 0)
    allocator.block(body)
    return allocator.names


class _Live:
    """Which names are in use as a function is read downwards; each step costs as many names as it gives or frees."""

    def __init__(self, reserved: set[str]) -> None:
        self._reserved = reserved
        self._users: dict[str, int] = {}
        self._ends: list[tuple[int, str]] = []  # heap of (position of the last read, name)
        self._next: dict[str, int] = {}  # the first number not tried yet, by wish
        self._freed: dict[str, list[int]] = {}  # heap of numbers tried before that may be free again, by wish
        self._numbers: dict[str, list[tuple[str, int]]] = {}  # name -> the wishes that it was tried for, and its number

    def __contains__(self, name: str) -> bool:
        return name in self._users or name in self._reserved

    def advance(self, here: int) -> None:
        """Free the names that nobody reads behind `here`."""
        while here and self._ends and self._ends[0][0] <= here:
            _, name = heapq.heappop(self._ends)
            self._users[name] -= 1
            if not self._users[name]:
                del self._users[name]
                for wish, number in self._numbers.get(name, ()):
                    heapq.heappush(self._freed[wish], number)

    def take(self, name: str, last: int) -> str:
        """Use a name until the position `last`."""
        self._users[name] = self._users.get(name, 0) + 1
        heapq.heappush(self._ends, (last, name))
        return name

    def new(self, wish: str) -> str:
        """`wish` if free, else with the first number that makes it free."""
        if wish not in self:
            return wish
        freed = self._freed.setdefault(wish, [])
        while freed:
            name = _number(wish, heapq.heappop(freed))
            if name not in self:
                return name
        while True:
            number = self._next.get(wish, 2)
            self._next[wish] = number + 1
            name = _number(wish, number)
            self._numbers.setdefault(name, []).append((wish, number))
            if name not in self:
                return name


def _number(wish: str, number: int) -> str:
    return f"{wish}{'_' if wish[-1:].isdigit() else ''}{number}"


class _Allocator:
    def __init__(self, body: list[s.Stmt], reserved: set[str]) -> None:
        self.names: dict[Var, str] = {}
        self.lives = _Lifetimes(body)
        self.live = _Live(reserved)

    def block(self, body: list[s.Stmt]) -> None:
        for stmt in body:
            here = self.lives.position[id(stmt)]
            nested = list(s.blocks(stmt))
            if isinstance(stmt, (s.For, s.FunctionDef)):
                nested, late = [], nested
                self._targets(stmt, here)
                nested = late
            for block in nested:
                self.block(block)
            if not isinstance(stmt, (s.For, s.FunctionDef)):
                self._targets(stmt, here)

    def _targets(self, stmt: s.Stmt, here: int) -> None:
        found = [v for v in s.targets(stmt) if v not in self.names]
        alone = len(found) == 1 and isinstance(stmt, s.Assign) and isinstance(stmt.target, Var)
        for var in found:
            self.name(var, stmt.value if alone and isinstance(stmt, s.Assign) else None, here)

    def name(self, var: Var, value: Expr | None, here: int) -> None:
        """Choose: a strong wish, else the name that dies in `value`, else a weak wish, else a generic letter."""
        self.live.advance(here)
        self.names[var] = self.live.take(self._choice(var, value, here), self.lives.last.get(var, 0))

    def _choice(self, var: Var, value: Expr | None, here: int) -> str:
        wish = identifier(var.hint) if var.hint else ""
        if wish and var.strong:
            return self.live.new(wish)
        heir = self._heir(value, here, wish)
        if heir or wish:
            return heir or self.live.new(wish)
        return next((g for g in GENERIC if g not in self.live), None) or self.live.new("x")

    def _heir(self, value: Expr | None, here: int, wish: str) -> str:
        if value is None:
            return ""
        first = next(variables(value), None)
        if first is None or first not in self.names or self.lives.last.get(first) != here:
            return ""
        name = self.names[first]
        if name in self.live:
            return ""
        return name if name in STREAM or name == wish or (not wish and not first.strong) else ""


def bind(body: list[s.Stmt], names: dict[Var, str]) -> None:
    """Replace variables by their names, in place, and drop assignments of a name to itself."""
    for stmt in body:
        s.rewrite(stmt, lambda e: Name(names[e]) if isinstance(e, Var) else None)
    _drop_self_assignments(body)


def _drop_self_assignments(body: list[s.Stmt]) -> None:
    """In place, innermost first, together with the branches and loops that nothing is left of."""
    for stmt in body:
        for block in s.blocks(stmt):
            _drop_self_assignments(block)
        if isinstance(stmt, s.If) and stmt.orelse and not stmt.body:
            stmt.test, stmt.body, stmt.orelse = Unary("not", stmt.test), stmt.orelse, []
    body[:] = [t for t in body if not _does_nothing(t)]


def _does_nothing(stmt: s.Stmt) -> bool:
    if isinstance(stmt, s.Assign):
        return stmt.target == stmt.value
    return isinstance(stmt, (s.If, s.For)) and not any(s.blocks(stmt))
