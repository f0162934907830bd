"""Symbolic sizes: sympy expressions of torch.export to the IR's dims, under the user's names."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from converter.importers.base import Refusal
from ir.types import Dim, ceildiv, dim_max, dim_min, evaluate_dim, floordiv, mod, symbol, symbols

BIG = 2**62  # torch writes "to the end" as the largest int64


class Sizes:
    """What each of torch's symbols is called here. `hints` are the example's sizes by our names."""

    def __init__(self) -> None:
        self.by_symbol: dict[str, Dim] = {}
        self.hints: dict[str, int] = {}

    def bind(self, name: str, dim: Dim) -> None:
        """Torch's symbol `name` (s77, u0) is `dim`."""
        self.by_symbol[name] = dim

    def dim(self, value: Any) -> Dim:
        """An int or SymInt as a dim; raises Refusal for an expression the IR cannot hold."""
        if isinstance(value, bool) or not hasattr(value, "node"):
            return int(value)
        return self.expr(value.node.expr)

    def expr(self, e: Any) -> Dim:
        """A sympy expression as a dim, exactly."""
        if e.is_Integer:
            return int(e)
        if e.is_Symbol:
            return self._symbol(str(e))
        kind = type(e).__name__
        if kind == "Pow" and e.args[1].is_Integer and 0 < int(e.args[1]) < 8:
            return math.prod([self.expr(e.args[0])] * int(e.args[1]), start=1)
        if kind in ("TruncToInt", "FloorToInt", "CeilToInt"):
            return self._rounded(e.args[0], up=kind == "CeilToInt", whole=e)
        if kind not in _FUNCTIONS:
            raise Refusal(f"the size expression {e} has no counterpart in the IR ({kind})")
        return _FUNCTIONS[kind](*(self.expr(a) for a in e.args))

    def _rounded(self, e: Any, up: bool, whole: Any) -> Dim:
        """A float of non-negative sizes made an integer: exact where the float is, that is for a quotient of sizes and
        for a size times a short binary fraction (2.0, 0.75); any other factor rounds in ways the IR cannot say."""
        divide = ceildiv if up else floordiv
        if type(e).__name__ == "IntTrueDiv":
            return divide(self.expr(e.args[0]), self.expr(e.args[1]))
        if type(e).__name__ == "FloatTrueDiv" and type(whole).__name__ != "TruncToInt":
            return divide(*self._quotient(e.args[0], e.args[1], whole))
        factors = e.args if e.is_Mul else (e,)
        floats = [f for f in factors if f.is_Float or f.is_Integer]
        sizes = [f for f in factors if type(f).__name__ == "ToFloat"]
        ratio = Fraction(1)
        for f in floats:
            ratio *= Fraction(float(f))
        if len(floats) + len(sizes) != len(factors) or len(sizes) != 1 or ratio <= 0 or max(ratio.as_integer_ratio()) > 2**16:
            raise Refusal(f"the size expression {whole} has no counterpart in the IR: its rounding depends on floats")
        return divide(self.expr(sizes[0].args[0]) * ratio.numerator, ratio.denominator)

    def _quotient(self, above: Any, below: Any, whole: Any) -> tuple[Dim, int]:
        """A size over a whole number, both held as floats: exact as long as the size is, its sign moved above."""
        if type(above).__name__ != "ToFloat" or not (below.is_Float or below.is_Integer) or not float(below).is_integer():
            raise Refusal(f"the size expression {whole} has no counterpart in the IR: its rounding depends on floats")
        size, number = self.expr(above.args[0]), int(below)
        return (size, number) if number > 0 else (-1 * size, -number)

    def _symbol(self, name: str) -> Dim:
        if name not in self.by_symbol:
            if name.startswith(("u", "zuf")):
                return symbol(name, opaque=True)
            raise Refusal(f"the size symbol {name} belongs to no input")
        return self.by_symbol[name]

    def shape(self, tensor: Any) -> tuple[Dim, ...]:
        """The shape of a (fake) tensor."""
        return tuple(self.dim(d) for d in tensor.shape)

    def example(self, dim: Dim) -> int | None:
        """The value of a dim at the example's sizes; None when it depends on data."""
        if isinstance(dim, int):
            return dim
        if any(s.name not in self.hints for s in symbols(dim)):
            return None
        return evaluate_dim(dim, self.hints)


def _add(*args: Dim) -> Dim:
    total: Dim = 0
    for a in args:
        total = total + a
    return total


def _mul(*args: Dim) -> Dim:
    total: Dim = 1
    for a in args:
        total = total * a
    return total


def _fold(fn: Callable[[Dim, Dim], Dim]) -> Callable[..., Dim]:
    def fold(first: Dim, *rest: Dim) -> Dim:
        for r in rest:
            first = fn(first, r)
        return first

    return fold


def _modular(base: Dim, divisor: Dim, modulus: Dim) -> Dim:
    return mod(floordiv(base, divisor), modulus)


_FUNCTIONS: dict[str, Callable[..., Dim]] = {
    "Add": _add, "Mul": _mul, "FloorDiv": floordiv, "CleanDiv": floordiv, "CeilDiv": ceildiv, "Mod": mod, "PythonMod": mod,
    "ModularIndexing": _modular, "Min": _fold(dim_min), "Max": _fold(dim_max),
}  # fmt: skip
