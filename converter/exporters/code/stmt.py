"""Statements of the emitted code. Mutable where passes edit them (bodies are lists)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from converter.exporters.code.expr import Expr, Name, Var, transform


class Stmt:
    """Base of all statements."""

    __slots__ = ()


@dataclass
class Assign(Stmt):
    """`target = value`. `pure` assignments may move into their only reader."""

    target: Expr
    value: Expr
    pure: bool = True


@dataclass
class Do(Stmt):
    """An expression evaluated for its effect."""

    value: Expr


@dataclass
class Return(Stmt):
    value: Expr | None = None


@dataclass
class Check(Stmt):
    """`if not test: raise ValueError(message)`, printed as such."""

    test: Expr
    message: Expr


@dataclass
class If(Stmt):
    test: Expr
    body: list[Stmt]
    orelse: list[Stmt] = field(default_factory=list)


@dataclass
class For(Stmt):
    target: Expr
    iterable: Expr
    body: list[Stmt]


@dataclass
class While(Stmt):
    test: Expr
    body: list[Stmt]


@dataclass
class Break(Stmt):
    pass


@dataclass
class Text(Stmt):
    """Lines printed as they are: imports, comments, the fixed parts of a file."""

    text: str


@dataclass
class Param:
    """One parameter of a function; `star` ones are the bare `*`. One of a local function is a variable."""

    name: str
    annotation: str = ""
    default: Expr | None = None
    star: bool = False
    var: Var | None = None


@dataclass
class FunctionDef(Stmt):
    """A function; a local one is a variable, which its name comes from."""

    name: str
    params: list[Param]
    body: list[Stmt]
    returns: str = ""
    doc: str = ""
    decorators: tuple[str, ...] = ()
    var: Var | None = None


@dataclass
class ClassDef(Stmt):
    name: str
    bases: tuple[str, ...]
    doc: str
    body: list[Stmt]


def blocks(stmt: Stmt) -> Iterator[list[Stmt]]:
    """The nested blocks of a control statement."""
    if isinstance(stmt, If):
        yield stmt.body
        yield stmt.orelse
    elif isinstance(stmt, (For, While, FunctionDef, ClassDef)):
        yield stmt.body


def expressions(stmt: Stmt) -> Iterator[Expr]:
    """The expressions a statement evaluates itself (not those of nested blocks); assigned targets are left out."""
    if isinstance(stmt, Assign):
        if not isinstance(stmt.target, Var):
            yield from _target_reads(stmt.target)
        yield stmt.value
    elif isinstance(stmt, Do):
        yield stmt.value
    elif isinstance(stmt, Return):
        if stmt.value is not None:
            yield stmt.value
    elif isinstance(stmt, (If, While)):
        yield stmt.test
    elif isinstance(stmt, For):
        yield stmt.iterable
    elif isinstance(stmt, Check):
        yield stmt.test
        yield stmt.message


def _target_reads(target: Expr) -> Iterator[Expr]:
    from converter.exporters.code.expr import Tup

    if isinstance(target, Tup):
        for item in target.items:
            yield from _target_reads(item)
    elif not isinstance(target, Var):
        yield target  # self.buffer[...] = value reads its parts


def targets(stmt: Stmt) -> Iterator[Var]:
    """The variables a statement assigns itself, those of nested tuples included; of a local function it and its arguments."""
    from converter.exporters.code.expr import Tup

    def inside(target: Expr | None) -> Iterator[Var]:
        if isinstance(target, Var):
            yield target
        elif isinstance(target, Tup):
            for item in target.items:
                yield from inside(item)

    if isinstance(stmt, (Assign, For)):
        yield from inside(stmt.target)
    elif isinstance(stmt, FunctionDef):
        yield from (v for v in (stmt.var, *(p.var for p in stmt.params)) if v is not None)


def walk_statements(body: Iterable[Stmt]) -> Iterator[Stmt]:
    """Every statement, nested ones after their parent."""
    for stmt in body:
        yield stmt
        for block in blocks(stmt):
            yield from walk_statements(block)


def rewrite(stmt: Stmt, fn: Callable[[Expr], Expr | None]) -> None:
    """Apply `transform` to every expression of a statement, nested blocks and assigned targets included."""
    for name in ("target", "value", "test", "iterable", "message", "default"):
        expr = getattr(stmt, name, None)
        if isinstance(expr, Expr):
            setattr(stmt, name, transform(expr, fn))
    if isinstance(stmt, FunctionDef):
        bound: list[FunctionDef | Param] = [stmt, *stmt.params]
        for named in bound:
            found = None if named.var is None else fn(named.var)
            named.name = found.id if isinstance(found, Name) else named.name
        for param in stmt.params:
            if param.default is not None:
                param.default = transform(param.default, fn)
    for block in blocks(stmt):
        for inner in block:
            rewrite(inner, fn)
