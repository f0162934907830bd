"""Matching declared shapes with actual ones: binds size symbols and checks the rest."""

from __future__ import annotations

from collections.abc import Sequence

from ir.types.dim import Dim, DimExpr, evaluate_dim, substitute, symbols
from ir.types.shape import format_shape


def bind_shape(declared: Sequence[Dim], actual: Sequence[int], env: dict[str, int]) -> None:
    """Extend `env` with the symbols that `actual` decides; raises ValueError where both cannot agree."""
    if len(declared) != len(actual):
        raise ValueError(f"rank {len(declared)} expected, got {len(actual)} (shape {list(actual)})")
    pending = list(zip(declared, actual, strict=True))
    while pending:  # an expression may wait for symbols that a later size binds
        left = [(dim, size) for dim, size in pending if not _bind(dim, size, env)]
        if len(left) == len(pending):
            raise ValueError(f"size {left[0][0]} of {format_shape(declared)} cannot be decided from {list(actual)}")
        pending = left


def _bind(dim: Dim, size: int, env: dict[str, int]) -> bool:
    if not isinstance(dim, DimExpr):
        if dim != size:
            raise ValueError(f"size {dim} expected, got {size}")
        return True
    unbound = {s.name for s in symbols(dim)} - set(env)
    if not unbound:
        value = evaluate_dim(dim, env)
        if value != size:
            raise ValueError(f"size {dim} = {value} expected, got {size}")
        return True
    if len(unbound) > 1:
        return False
    solved = _solve(dim, size, unbound.pop(), env)
    if solved is not None:
        env.update(solved)
    return solved is not None


def _solve(dim: DimExpr, size: int, name: str, env: dict[str, int]) -> dict[str, int] | None:
    """The value of `name` in `a * name + b == size`; None when the expression is not of that form."""
    at0 = substitute(dim, {**env, name: 0})
    at1 = substitute(dim, {**env, name: 1})
    at5 = substitute(dim, {**env, name: 5})
    if (
        not (isinstance(at0, int) and isinstance(at1, int) and isinstance(at5, int))
        or at5 - at0 != 5 * (at1 - at0)
        or at1 == at0
    ):
        return None
    if any(
        len(m) != 1 or m[0][1] != 1 or getattr(m[0][0], "name", None) is None
        for m, _ in dim.terms
        if m and any(s.name == name for s in symbols(DimExpr(((m, 1),))))
    ):
        return None
    value, rest = divmod(size - at0, at1 - at0)
    if rest or value < 0:
        raise ValueError(f"no size {name} makes {dim} equal to {size}")
    return {name: value}
