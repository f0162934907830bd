"""A decision on sizes: a relation of two dims that held, and the sizes for which it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ir.types import Dim, DimExpr, dim_min, evaluate_dim, same, symbols
from ir.types.dim import bounds

Sizes = dict[str, int]

SIGNS = {
    "Equality": "==", "Unequality": "!=", "GreaterThan": ">=", "LessThan": "<=", "StrictGreaterThan": ">",
    "StrictLessThan": "<",
}  # fmt: skip
"""Sympy's names of relations, as the user would write them."""

_OPPOSITE = {
    "Equality": "Unequality", "Unequality": "Equality", "GreaterThan": "StrictLessThan", "LessThan": "StrictGreaterThan",
    "StrictGreaterThan": "LessThan", "StrictLessThan": "GreaterThan",
}  # fmt: skip


@dataclass(frozen=True)
class Decision:
    """`left kind right` held (kind by sympy's name); `why` says what would be otherwise."""

    kind: str
    left: Dim
    right: Dim
    why: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.left} {SIGNS[self.kind]} {self.right}"

    @property
    def flipped(self) -> Decision:
        """What holds on the other path."""
        return Decision(_OPPOSITE[self.kind], self.left, self.right, self.why)

    @property
    def names(self) -> frozenset[str]:
        """The sizes it is about."""
        return frozenset(s.name for d in (self.left, self.right) for s in symbols(d))

    @property
    def certain(self) -> bool:
        """Whether it holds for all sizes."""
        return same(*self.equality) is True

    @property
    def equality(self) -> tuple[Dim, Dim]:
        """The relation as the equality of two dims."""
        a, b = self.left, self.right
        if self.kind == "Equality":
            return a, b
        if self.kind == "Unequality":
            return _apart(a, b)
        if self.kind in ("LessThan", "StrictLessThan"):
            a, b = b, a
        return _at_least(a, b + 1 if self.kind.startswith("Strict") else b)

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether it holds for these sizes."""
        a, b = evaluate_dim(self.left, sizes), evaluate_dim(self.right, sizes)
        return {"==": a == b, "!=": a != b, ">=": a >= b, "<=": a <= b, ">": a > b, "<": a < b}[SIGNS[self.kind]]


def _at_least(a: Dim, b: Dim) -> tuple[Dim, Dim]:
    return b, dim_min(a, b)


def _apart(a: Dim, b: Dim) -> tuple[Dim, Dim]:
    gap = a - b
    lowest = bounds(gap)[0]
    return _at_least(gap if lowest is not None and lowest >= 0 else gap * gap, 1)


# -- the sizes of a path ------------------------------------------------------------------------------------------------
def few_values(path: Sequence[Decision], most: int) -> tuple[str, list[int]] | None:
    """A size that the decisions leave at most `most` values, and these; None where there is no such size."""
    for name in sorted({n for d in path for n in d.names}):
        low, high, apart = 0, None, set()
        for kind, bound in _linear(path, name):
            if kind == "Unequality":
                apart.add(bound)
                continue
            low = max(low, bound) if kind != "LessThan" else low
            high = bound if kind != "GreaterThan" and (high is None or bound < high) else high
        if high is not None and (values := _at_most(low, high, apart, most)) is not None:
            return name, values
    return None


def _at_most(low: int, high: int, apart: set[int], most: int) -> list[int] | None:
    if high - low > most + len(apart):
        return None
    values = [v for v in range(low, high + 1) if v not in apart]
    return values if len(values) <= most else None


def _linear(path: Sequence[Decision], name: str) -> Iterator[tuple[str, int]]:
    """The decisions that bound one size by a number: (Equality | Unequality | GreaterThan | LessThan, number)."""
    for decision in path:
        gap = decision.left - decision.right
        if decision.names != {name} or not isinstance(gap, DimExpr):
            continue
        terms = dict(gap.terms)
        offset = terms.pop((), 0)
        (mono, scale), *others = terms.items()
        if others or len(mono) != 1 or mono[0][1] != 1 or str(mono[0][0]) != name:
            continue
        sign, kind = SIGNS[decision.kind], decision.kind  # scale * size + offset sign 0
        if sign in ("==", "!="):
            if offset % scale == 0:
                yield kind, -offset // scale
            elif sign == "==":
                yield "LessThan", -1  # no size at all
        else:
            upper = sign.startswith("<") == (scale > 0)
            if scale < 0:
                scale, offset = -scale, -offset
            if upper:  # scale * size <= -offset, or one less where strict
                yield "LessThan", (-offset - (len(sign) == 1)) // scale
            else:
                yield "GreaterThan", -((offset - (len(sign) == 1)) // scale)


def example_sizes(path: Sequence[Decision], given: Mapping[str, int]) -> Sizes | None:
    """Sizes on a path, all of two or more and no two alike (torch.export would fix or join others): `given` with the
    sizes of at most two names changed. None where none were found."""
    names = sorted({n for d in path for n in d.names})
    if not set(names) <= set(given):
        return None
    for sizes in _candidates(names, given):
        if len(set(sizes.values())) == len(sizes) and all(d.holds(sizes) for d in path):
            return sizes
    return None


_TRIED = (5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 6, 8, 9, 10, 12, 16, 4, 3, 2, 64, 127, 256, 509, 1024, 4099)


def _candidates(names: Sequence[str], given: Mapping[str, int]) -> Iterator[Sizes]:
    for name in names:
        for value in (*_TRIED, *range(2, 600)):
            yield {**given, name: value}
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            for a in _TRIED:
                yield from ({**given, first: a, second: b} for b in _TRIED)
