"""Dimension expressions: integers, or canonical polynomials over symbols, //, mod, min and max.

Two dims compare as yes, no or unknown (`same`). `==` is structural equality of canonical forms, hence the "yes" case.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from ir.types.errors import ShapeError


@dataclass(frozen=True, slots=True)
class Symbol:
    """A size known only at run time. `opaque` ones are bound by a node's output, the others by an input's shape."""

    name: str
    opaque: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Func:
    """A non-polynomial atom: `floordiv`, `mod`, `min` or `max` of two dims."""

    kind: str
    args: tuple[Dim, Dim]

    def __str__(self) -> str:
        a, b = (str(x) for x in self.args)
        if self.kind in ("min", "max"):
            return f"{self.kind}({a}, {b})"
        wrap = [f"({t})" if isinstance(x, DimExpr) and not x.is_symbol else t for x, t in zip(self.args, (a, b), strict=True)]
        return f"{wrap[0]} {'//' if self.kind == 'floordiv' else '%'} {wrap[1]}"


Atom = Symbol | Func
Monomial = tuple[tuple[Atom, int], ...]  # sorted (atom, power) pairs; () is the constant term
_COMPUTE: dict[str, Callable[[int, int], int]] = {
    "floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "min": min, "max": max,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DimExpr:
    """A non-constant polynomial with integer coefficients, in canonical form. Built by arithmetic, not by hand."""

    terms: tuple[tuple[Monomial, int], ...]

    # -- arithmetic -------------------------------------------------------------------------------------------
    def __add__(self, other: Dim) -> Dim:
        total = dict(self.terms)
        for mono, coef in _terms(other):
            total[mono] = total.get(mono, 0) + coef
        return _make(total)

    def __mul__(self, other: Dim) -> Dim:
        total: dict[Monomial, int] = {}
        for m1, c1 in self.terms:
            for m2, c2 in _terms(other):
                mono = _mul_mono(m1, m2)
                total[mono] = total.get(mono, 0) + c1 * c2
        return _make(total)

    def __neg__(self) -> Dim:
        return self * -1

    def __sub__(self, other: Dim) -> Dim:
        return self + (other * -1)

    def __rsub__(self, other: Dim) -> Dim:
        return (self * -1) + other

    __radd__ = __add__
    __rmul__ = __mul__

    def __floordiv__(self, other: Dim) -> Dim:
        return floordiv(self, other)

    def __rfloordiv__(self, other: Dim) -> Dim:
        return floordiv(other, self)

    def __mod__(self, other: Dim) -> Dim:
        return mod(self, other)

    def __rmod__(self, other: Dim) -> Dim:
        return mod(other, self)

    # -- queries ----------------------------------------------------------------------------------------------
    @property
    def is_symbol(self) -> bool:
        """True for a bare symbol such as `batch`."""
        return len(self.terms) == 1 and self.terms[0][1] == 1 and self._single_atom(Symbol) is not None

    def _single_atom(self, kind: type) -> Atom | None:
        mono = self.terms[0][0]
        return mono[0][0] if len(mono) == 1 and mono[0][1] == 1 and isinstance(mono[0][0], kind) else None

    @property
    def symbol(self) -> Symbol:
        """The symbol of a bare-symbol expression."""
        atom = self._single_atom(Symbol) if self.is_symbol else None
        if not isinstance(atom, Symbol):
            raise ValueError(f"{self} is not a bare symbol")
        return atom

    def __int__(self) -> int:
        raise TypeError(f"the size {self} is symbolic and has no integer value here")

    __index__ = __int__

    def __bool__(self) -> bool:
        raise TypeError(f"the truth of the symbolic size {self} is unknown")

    def __str__(self) -> str:
        return " ".join(_signed(mono, coef, i == 0) for i, (mono, coef) in enumerate(self.terms))

    __repr__ = __str__


Dim = int | DimExpr


# -- construction -------------------------------------------------------------------------------------------------
def symbol(name: str, opaque: bool = False) -> DimExpr:
    """The dim that is the bare symbol `name`."""
    return DimExpr(((((Symbol(name, opaque), 1),), 1),))


def floordiv(a: Dim, b: Dim) -> Dim:
    """`a // b` (rounds to minus infinity). Polynomial parts divisible by an integer `b` are divided exactly."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    if b == 1:
        return a
    if a == b:
        return 1
    if isinstance(b, int):
        # Divisible terms leave whole, and so does what exceeds [0, b) in the constant: (n - 1) // 2 + 1 is (n + 1) // 2.
        divisible = _make({m: c // b for m, c in _terms(a) if c % b == 0 or not m})
        rest = _make({m: c if m else c % b for m, c in _terms(a) if c % b})
        if isinstance(rest, int):
            return divisible + rest // b
        return divisible + _atom(Func("floordiv", (rest, b)))
    quotient = _exact_quotient(a, b)
    return quotient if quotient is not None else _atom(Func("floordiv", (a, b)))


def mod(a: Dim, b: Dim) -> Dim:
    """`a % b` with Python's sign rule."""
    if isinstance(a, int) and isinstance(b, int):
        return a % b
    if b == 1 or a == b:
        return 0
    if isinstance(b, int):
        rest = _make({m: c % b for m, c in _terms(a) if c % b})
        return rest % b if isinstance(rest, int) else _atom(Func("mod", (rest, b)))
    return 0 if _exact_quotient(a, b) is not None else _atom(Func("mod", (a, b)))


def ceildiv(a: Dim, b: Dim) -> Dim:
    """`ceil(a / b)` for positive `b`."""
    return floordiv(a + (b - 1), b)


def dim_min(a: Dim, b: Dim) -> Dim:
    """The smaller of two dims; decided when the sign of the difference is known."""
    return _extreme("min", a, b)


def dim_max(a: Dim, b: Dim) -> Dim:
    """The larger of two dims; decided when the sign of the difference is known."""
    return _extreme("max", a, b)


def _extreme(kind: str, a: Dim, b: Dim) -> Dim:
    if a == b:
        return a
    low, high = bounds(a - b)
    if low is not None and low >= 0:
        return a if kind == "max" else b
    if high is not None and high <= 0:
        return b if kind == "max" else a
    first, second = sorted((a, b), key=str)
    return _atom(Func(kind, (first, second)))


# -- comparison -----------------------------------------------------------------------------------------------------
def same(a: Dim, b: Dim) -> bool | None:
    """True or False where the sizes are certainly equal or different, None where it depends on run-time sizes."""
    if a == b:
        return True
    low, high = bounds(a - b)
    return False if (low is not None and low > 0) or (high is not None and high < 0) else None


def bounds(d: Dim) -> tuple[int | None, int | None]:
    """Inclusive lower and upper bound of `d`, every symbol being at least 0; None where unbounded."""
    if isinstance(d, int):
        return d, d
    low: int | None = 0
    high: int | None = 0
    for mono, coef in d.terms:
        lo, hi = _mono_bounds(mono)
        if coef < 0:
            lo, hi = hi, lo
        low = None if low is None or lo is None else low + coef * lo
        high = None if high is None or hi is None else high + coef * hi
    return low, high


def _mono_bounds(mono: Monomial) -> tuple[int | None, int | None]:
    low, high = 1, 1
    for atom, power in mono:
        lo, hi = _atom_bounds(atom)
        if lo is None or lo < 0:
            return None, None
        low *= lo**power
        high = None if high is None or hi is None else high * hi**power  # type: ignore[assignment]
    return low, high


def _atom_bounds(atom: Atom) -> tuple[int | None, int | None]:
    if isinstance(atom, Symbol):
        return 0, None
    (alo, ahi), (blo, bhi) = bounds(atom.args[0]), bounds(atom.args[1])
    if atom.kind == "min":
        return (None if alo is None or blo is None else min(alo, blo)), min((h for h in (ahi, bhi) if h is not None), default=None)
    if atom.kind == "max":
        return max((x for x in (alo, blo) if x is not None), default=None), (None if ahi is None or bhi is None else max(ahi, bhi))
    if blo is None or blo < 0:
        return None, None
    if atom.kind == "mod":
        return 0, (None if bhi is None else max(bhi - 1, 0))
    divisor = max(blo, 1)
    low = None if alo is None else (0 if alo >= 0 else math.floor(alo / divisor))
    return low, (None if ahi is None else max(ahi // divisor, 0))


# -- run time -------------------------------------------------------------------------------------------------------
def evaluate_dim(d: Dim, env: Mapping[str, int]) -> int:
    """The integer value of `d` with symbols read from `env`; raises KeyError naming an unbound symbol."""
    if isinstance(d, int):
        return d
    return sum(coef * math.prod(_atom_value(a, env) ** p for a, p in mono) for mono, coef in d.terms)


def _atom_value(atom: Atom, env: Mapping[str, int]) -> int:
    if isinstance(atom, Symbol):
        return env[atom.name]
    return _COMPUTE[atom.kind](evaluate_dim(atom.args[0], env), evaluate_dim(atom.args[1], env))


def substitute(d: Dim, env: Mapping[str, Dim]) -> Dim:
    """`d` with the symbols named in `env` replaced, canonical again."""
    if isinstance(d, int):
        return d
    total: Dim = 0
    for mono, coef in d.terms:
        term: Dim = coef
        for atom, power in mono:
            base = _atom_substitute(atom, env)
            for _ in range(power):
                term = term * base
        total = total + term
    return total


def _atom_substitute(atom: Atom, env: Mapping[str, Dim]) -> Dim:
    if isinstance(atom, Symbol):
        return env.get(atom.name, _atom(atom))
    a, b = (substitute(x, env) for x in atom.args)
    return {"floordiv": floordiv, "mod": mod, "min": dim_min, "max": dim_max}[atom.kind](a, b)


def symbols(d: Dim) -> Iterator[Symbol]:
    """Every symbol in `d`, repeats included."""
    if isinstance(d, DimExpr):
        for mono, _ in d.terms:
            for atom, _ in mono:
                if isinstance(atom, Symbol):
                    yield atom
                else:
                    yield from symbols(atom.args[0])
                    yield from symbols(atom.args[1])


# -- assumptions ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Assumption:
    """Two dims taken as equal although it depends on the run-time sizes. Emitted code checks it."""

    left: Dim
    right: Dim
    why: str

    def __str__(self) -> str:
        return f"{self.left} == {self.right} ({self.why})"

    @property
    def relation(self) -> tuple[Dim, str, Dim]:
        """What it says, as one would write it: `a == min(a, b)` is `a <= b`, and `a == max(a, b)` is `a >= b`."""
        for own, other in ((self.left, self.right), (self.right, self.left)):
            func = _bare_func(other)
            if func is not None and func.kind in ("min", "max") and own in func.args:
                rest = func.args[1] if func.args[0] == own else func.args[0]
                below = func.kind == "min"
                return (rest, ">=" if below else "<=", own) if isinstance(own, int) else (own, "<=" if below else ">=", rest)
        return self.left, "==", self.right

    def allows(self, sizes: Mapping[str, int]) -> bool:
        """Whether it holds for these sizes, none that it would divide by being 0; one about sizes that only the run finds
        is left to the run."""
        try:
            return evaluate_dim(self.left, sizes) == evaluate_dim(self.right, sizes)
        except KeyError:
            return True
        except ZeroDivisionError:
            return False

    @property
    def gap(self) -> Dim:
        """A size that is never negative, and 0 exactly where the assumption holds."""
        for own, other in ((self.left, self.right), (self.right, self.left)):
            func = _bare_func(other)
            if func is not None and func.kind in ("min", "max") and own in func.args:
                return own - other if func.kind == "min" else other - own
        gap = self.left - self.right
        low, high = bounds(gap)
        if low is not None and low >= 0:
            return gap
        return -gap if high is not None and high <= 0 else dim_max(self.left, self.right) - dim_min(self.left, self.right)

    @staticmethod
    def vanishing(gap: Dim, why: str) -> Assumption:
        """The assumption with this gap."""
        positive = _make({m: c for m, c in _terms(gap) if c > 0})
        negative = _make({m: -c for m, c in _terms(gap) if c < 0})
        above, below = _bare_func(positive), _bare_func(negative)
        if above is not None and below is not None and (above.kind, below.kind) == ("max", "min") and above.args == below.args:
            return Assumption(*above.args, why)
        return Assumption(positive, negative, why)


_LOG: ContextVar[list[Assumption] | None] = ContextVar("assumptions", default=None)


@contextlib.contextmanager
def recording_assumptions() -> Iterator[list[Assumption]]:
    """Collect the assumptions that inference makes inside the block."""
    log: list[Assumption] = []
    token = _LOG.set(log)
    try:
        yield log
    finally:
        _LOG.reset(token)


def require_same(a: Dim, b: Dim, why: str) -> Dim:
    """`a`, once it is certain or assumed that both sizes are equal; raises ShapeError (a ValueError) where they cannot be."""
    verdict = same(a, b)
    if verdict is False:
        raise ShapeError(f"{why}: sizes {a} and {b} differ")
    if verdict is None:
        log = _LOG.get()
        if log is not None:
            log.append(Assumption(a, b, why))
        return b if isinstance(b, int) else a
    return a


# -- canonical form -------------------------------------------------------------------------------------------------
def _terms(d: Dim) -> tuple[tuple[Monomial, int], ...]:
    return d.terms if isinstance(d, DimExpr) else (((), d),)


def _atom(atom: Atom) -> DimExpr:
    return DimExpr(((((atom, 1),), 1),))


def _bare_func(d: Dim) -> Func | None:
    """The function that a dim is, if it is one and nothing else."""
    if not isinstance(d, DimExpr) or len(d.terms) != 1 or d.terms[0][1] != 1:
        return None
    mono = d.terms[0][0]
    return mono[0][0] if len(mono) == 1 and mono[0][1] == 1 and isinstance(mono[0][0], Func) else None


def _make(total: Mapping[Monomial, int]) -> Dim:
    kept = {m: c for m, c in total.items() if c}
    if not kept:
        return 0
    if set(kept) == {()}:
        return kept[()]
    return DimExpr(tuple(sorted(kept.items(), key=_term_order)))


def _term_order(term: tuple[Monomial, int]) -> tuple[bool, int, str]:
    mono = term[0]
    return (not mono, -sum(p for _, p in mono), "*".join(f"{a}^{p}" for a, p in mono))


def _mul_mono(a: Monomial, b: Monomial) -> Monomial:
    powers = dict(a)
    for atom, power in b:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda item: str(item[0])))


def _exact_quotient(a: Dim, b: DimExpr) -> Dim | None:
    """`a / b` where `b` is one monomial that divides every term of `a`, else None."""
    if len(b.terms) != 1:
        return None
    (mono, coef), total = b.terms[0], {}
    for m, c in _terms(a):
        powers = dict(m)
        for atom, power in mono:
            powers[atom] = powers.get(atom, 0) - power
        if c % coef or min(powers.values(), default=0) < 0:
            return None
        total[tuple(sorted(((x, p) for x, p in powers.items() if p), key=lambda item: str(item[0])))] = c // coef
    return _make(total)


def _signed(mono: Monomial, coef: int, first: bool) -> str:
    factors = []
    for atom, power in mono:
        quotient = isinstance(atom, Func) and atom.kind in ("floordiv", "mod")
        text = f"({atom})" if quotient and (len(mono) > 1 or power > 1 or coef != 1) else str(atom)
        factors += [text] * power
    if abs(coef) != 1 or not mono:
        factors.insert(0, str(abs(coef)))
    body = " * ".join(factors)
    if first:
        return f"-{body}" if coef < 0 else body
    return f"{'-' if coef < 0 else '+'} {body}"
