"""Expressions of the emitted code. Immutable; printed by `printer`, with parentheses only where precedence asks."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

MISSING: Any = object()


class Expr:
    """Base of all expressions. Python's operators build bigger ones, so that rules read like the code they emit."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Attr:
        if name.startswith("__"):
            raise AttributeError(name)
        return Attr(self, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Call:
        return Call(self, tuple(lift(a) for a in args), tuple((k, lift(v)) for k, v in kwargs.items()))

    def __getitem__(self, items: Any) -> Index:
        parts = items if isinstance(items, tuple) else (items,)
        return Index(self, tuple(lift(i) for i in parts))

    def __add__(self, other: Any) -> Binary:
        return Binary("+", self, lift(other))

    def __radd__(self, other: Any) -> Binary:
        return Binary("+", lift(other), self)

    def __sub__(self, other: Any) -> Binary:
        return Binary("-", self, lift(other))

    def __rsub__(self, other: Any) -> Binary:
        return Binary("-", lift(other), self)

    def __mul__(self, other: Any) -> Binary:
        return Binary("*", self, lift(other))

    def __rmul__(self, other: Any) -> Binary:
        return Binary("*", lift(other), self)

    def __truediv__(self, other: Any) -> Binary:
        return Binary("/", self, lift(other))

    def __floordiv__(self, other: Any) -> Binary:
        return Binary("//", self, lift(other))

    def __mod__(self, other: Any) -> Binary:
        return Binary("%", self, lift(other))

    def __matmul__(self, other: Any) -> Binary:
        return Binary("@", self, lift(other))

    def __and__(self, other: Any) -> Binary:
        return Binary("&", self, lift(other))

    def __or__(self, other: Any) -> Binary:
        return Binary("|", self, lift(other))

    def __lt__(self, other: Any) -> Binary:
        return Binary("<", self, lift(other))

    def __le__(self, other: Any) -> Binary:
        return Binary("<=", self, lift(other))

    def __gt__(self, other: Any) -> Binary:
        return Binary(">", self, lift(other))

    def __ge__(self, other: Any) -> Binary:
        return Binary(">=", self, lift(other))

    def __neg__(self) -> Unary:
        return Unary("-", self)

    def __invert__(self) -> Unary:
        return Unary("~", self)


class Var(Expr):
    """A local variable, assigned once (several times when `mutable`). Its name is chosen at the end.

    `hint` is a wish for the name, `strong` says that it outranks the reuse of a dying name, `fold` whether the single
    reader may take the expression itself.
    """

    __slots__ = ("hint", "strong", "mutable", "fold")

    def __init__(self, hint: str = "", strong: bool = False, mutable: bool = False, fold: bool = True) -> None:
        self.hint, self.strong, self.mutable, self.fold = hint, strong, mutable, fold

    def __repr__(self) -> str:
        return f"<Var {self.hint}>"


@dataclass(frozen=True, slots=True)
class Name(Expr):
    """A fixed identifier: a module, a class, a builtin, `self`, an argument."""

    id: str


@dataclass(frozen=True, slots=True)
class Attr(Expr):
    value: Expr
    attr: str


@dataclass(frozen=True, slots=True)
class Index(Expr):
    value: Expr
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Slice(Expr):
    """`start:stop:step` inside an index."""

    start: Expr | None = None
    stop: Expr | None = None
    step: Expr | None = None


@dataclass(frozen=True, slots=True)
class Call(Expr):
    func: Expr
    args: tuple[Expr, ...] = ()
    kwargs: tuple[tuple[str, Expr], ...] = ()


@dataclass(frozen=True, slots=True)
class Unary(Expr):
    """`-x`, `~x`, `not x`."""

    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Expr):
    """Arithmetic, bitwise, comparison and boolean operators."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class IfElse(Expr):
    """`then if test else other`."""

    test: Expr
    then: Expr
    other: Expr


@dataclass(frozen=True, slots=True)
class Lit(Expr):
    """A Python number, bool, string or None. Told apart by type as well: 1, 1.0 and True are three literals."""

    value: Any
    kind: str = field(default="", compare=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", f"{type(self.value).__name__}:{self.value!r}")


@dataclass(frozen=True, slots=True)
class Tup(Expr):
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Lst(Expr):
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Dct(Expr):
    items: tuple[tuple[Expr, Expr], ...]


@dataclass(frozen=True, slots=True)
class Star(Expr):
    """`*x` in a call or list."""

    value: Expr


@dataclass(frozen=True, slots=True)
class Generator(Expr):
    """`(element for target in iterable)`; without its parentheses as the only argument of a call."""

    element: Expr
    target: str
    iterable: Expr


@dataclass(frozen=True, slots=True)
class Hole(Expr):
    """A value that may differ between instances of a class: it ends as a literal or as an argument of the class.

    `value` is an expression without variables. `hint` is what an argument would be called. A keyword argument whose
    value is constant and equals `default` is left out.
    """

    value: Expr
    hint: str
    default: Expr | None = None


def lift(value: Any) -> Expr:
    """A Python value as an expression: numbers, strings, None, dtypes' names, tuples, lists, slices, expressions."""
    if isinstance(value, Expr):
        return value
    if value is None or isinstance(value, (bool, int, float, complex, str)):
        return Lit(value)
    if value is Ellipsis:
        return Name("...")
    if isinstance(value, tuple):
        return Tup(tuple(lift(v) for v in value))
    if isinstance(value, list):
        return Lst(tuple(lift(v) for v in value))
    if isinstance(value, dict):
        return Dct(tuple((lift(k), lift(v)) for k, v in value.items()))
    if isinstance(value, slice):
        parts = [None if p is None else lift(p) for p in (value.start, value.stop, value.step)]
        return Slice(*parts)
    raise TypeError(f"{value!r} has no expression")


def hole(value: Any, hint: str, default: Any = MISSING) -> Hole:
    """A hole around a Python value or variable-free expression."""
    return Hole(lift(value), hint, None if default is MISSING else lift(default))


def children(expr: Expr) -> Iterator[Expr]:
    """The direct parts of an expression, in the order they are printed."""
    if isinstance(expr, (Var, Name, Lit)):
        return
    for name in _fields(type(expr)):  # type: ignore[arg-type]
        yield from _expressions(getattr(expr, name))


@functools.cache
def _fields(cls: type) -> tuple[str, ...]:
    return tuple(item.name for item in dataclasses.fields(cls))


def _expressions(value: Any) -> Iterator[Expr]:
    if isinstance(value, Expr):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _expressions(part)


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all its parts, outermost first."""
    yield expr
    for child in children(expr):
        yield from walk(child)


def transform(expr: Expr, fn: Callable[[Expr], Expr | None]) -> Expr:
    """Rebuild outermost first: where `fn` returns an expression it replaces the part (and is not entered again)."""
    replaced = fn(expr)
    if replaced is not None:
        return replaced
    if isinstance(expr, (Var, Name, Lit)):
        return expr
    changes = {}
    for name in _fields(type(expr)):  # type: ignore[arg-type]
        old = getattr(expr, name)
        new = _rebuild(old, fn)
        if new is not old:
            changes[name] = new
    return dataclasses.replace(expr, **changes) if changes else expr  # type: ignore[type-var]


def _rebuild(value: Any, fn: Callable[[Expr], Expr | None]) -> Any:
    if isinstance(value, Expr):
        return transform(value, fn)
    if isinstance(value, tuple):
        parts = tuple(_rebuild(v, fn) for v in value)
        return value if all(a is b for a, b in zip(parts, value)) else parts
    return value


def variables(expr: Expr) -> Iterator[Var]:
    """Every variable read, repeats included."""
    return (e for e in walk(expr) if isinstance(e, Var))
