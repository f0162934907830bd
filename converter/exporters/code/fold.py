"""Single-use values become part of the expression that reads them, as far as a line stays readable."""

from __future__ import annotations

from collections import Counter

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import (
    Attr,
    Binary,
    Call,
    Expr,
    Hole,
    IfElse,
    Index,
    Lit,
    Name,
    Slice,
    Tup,
    Var,
    children,
    transform,
    variables,
    walk,
)
from converter.exporters.code.printer import Printer

FOLD_WIDTH = 88
"""Longest statement (without its indentation) that folding makes."""
MAX_NESTING = 4
MAX_PARTS = 9


def fold(body: list[s.Stmt]) -> None:
    """Fold in place. Only pure assignments move, only into a later statement of the same block, past pure ones only."""
    reads = Counter(v for stmt in s.walk_statements(body) for e in s.expressions(stmt) for v in variables(e))
    _fold_block(body, reads)


def _fold_block(body: list[s.Stmt], reads: Counter[Var]) -> None:
    pending: dict[Var, s.Assign] = {}
    gone: set[int] = set()  # ids of the statements folded away
    for stmt in list(body):
        for block in s.blocks(stmt):
            _fold_block(block, reads)
        if not isinstance(stmt, s.While):  # its test runs again each time round
            _fold_into(stmt, pending, gone)
        if not _is_pure(stmt):
            pending.clear()
        _forget_stale(pending, stmt)
        if isinstance(stmt, s.Assign) and isinstance(stmt.target, Var) and stmt.pure:
            if stmt.target.fold and not stmt.target.mutable and reads[stmt.target] == 1:
                pending[stmt.target] = stmt
    body[:] = [stmt for stmt in body if id(stmt) not in gone]


def _is_pure(stmt: s.Stmt) -> bool:
    if isinstance(stmt, s.Assign):
        return stmt.pure
    return isinstance(stmt, (s.Return, s.Check, s.If, s.For, s.While)) and all(
        _is_pure(i) for b in s.blocks(stmt) for i in b
    )


def _forget_stale(pending: dict[Var, s.Assign], stmt: s.Stmt) -> None:
    """What reads a variable that `stmt` assigns anew may not move past it."""
    assigned = {v for inner in s.walk_statements([stmt]) for v in s.targets(inner) if v.mutable}
    if assigned:
        for var in [v for v, a in pending.items() if any(r in assigned for r in variables(a.value))]:
            del pending[var]


def _fold_into(stmt: s.Stmt, pending: dict[Var, s.Assign], gone: set[int]) -> None:
    while True:
        found = [v for e in s.expressions(stmt) for v in variables(e) if v in pending]
        for var in reversed(found):
            source = pending[var]
            if _fits(stmt, var, source.value):
                _inherit(stmt, var)
                _substitute(stmt, var, source.value)
                del pending[var]
                gone.add(id(source))
                break
            del pending[var]
        else:
            return


def _inherit(stmt: s.Stmt, var: Var) -> None:
    """`q = self.q_proj(x)` then `t = q.reshape(...).transpose(...)`: the end of the chain is still `q`."""
    if isinstance(stmt, s.Assign) and isinstance(stmt.target, Var) and var.strong and not stmt.target.strong:
        base = stmt.value
        while isinstance(base, (Call, Attr)):
            base = base.func if isinstance(base, Call) else base.value
        if base is var:
            stmt.target.hint, stmt.target.strong = var.hint, True


def _substitute(stmt: s.Stmt, var: Var, value: Expr) -> None:
    for name in ("value", "test", "iterable", "message", "target"):
        expr = getattr(stmt, name, None)
        if isinstance(expr, Expr) and not (name == "target" and isinstance(expr, (Var, Tup))):  # `x[i] = ...` reads i
            setattr(stmt, name, transform(expr, lambda e: value if e is var else None))


def _fits(stmt: s.Stmt, var: Var, value: Expr) -> bool:
    if isinstance(value, (Var, Name, Lit)) or any(e is var for e in s.expressions(stmt)):
        return True
    expr = next(e for e in s.expressions(stmt) if any(v is var for v in variables(e)))
    whole = transform(expr, lambda e: value if e is var else None)
    if _nesting(whole) > MAX_NESTING or _parts(whole) > MAX_PARTS:
        return False
    prefix = "x = " if isinstance(stmt, s.Assign) else "return "
    return len(prefix + _RULER.flat(whole)) <= FOLD_WIDTH


def _name_width(var: Var) -> str:
    return var.hint if 0 < len(var.hint) < 8 else "value"


_RULER = Printer(name_of=_name_width, hole=lambda hole: "00")
"""Measures with stand-ins for names and holes, so that instances of one class fold alike."""


def _nesting(expr: Expr) -> int:
    """How many calls deep: method chains count once a link."""
    below = max((_nesting(c) for c in children(expr) if not isinstance(expr, Hole)), default=0)
    return below + isinstance(expr, (Call, IfElse)) - (isinstance(expr, Call) and _is_chain(expr))


def _is_chain(call: Call) -> bool:
    return isinstance(call.func, Attr) and isinstance(call.func.value, Call)


def _parts(expr: Expr) -> int:
    """How many operations a reader has to take in."""
    return sum(isinstance(e, (Call, Binary, IfElse)) or _is_slicing(e) for e in walk(expr))


def _is_slicing(expr: Expr) -> bool:
    return isinstance(expr, Index) and any(isinstance(i, Slice) for i in expr.items)
