"""Symbolic sizes: sympy expressions of torch.export to the IR's dims, under the user's names."""

from __future__ import annotations

import math
from collections.abc import Callable
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
        if kind not in _FUNCTIONS:
            raise Refusal(f"the size expression {e} has no counterpart in the IR ({kind})")
        return _FUNCTIONS[kind](*(self.expr(a) for a in e.args))

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
