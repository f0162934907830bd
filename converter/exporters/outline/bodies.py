"""Bodies of control flow, written in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Tup, Var
from converter.exporters.outline.context import Context
from ir.core import Graph


def run_body(c: Context, body: Graph, arguments: Sequence[Expr]) -> list[Expr]:
    """Write a body's nodes into the current block; returns its outputs."""
    for value, argument in zip(body.inputs, arguments, strict=True):
        c.know(value, argument if isinstance(argument, Var) else c.assign(argument))
    for node in body:
        c.write(node)
    return [c.x(v) for v in body.outputs]


def local_function(c: Context, hint: str, params: Sequence[Var], write: Callable[[], Sequence[Expr]]) -> Var:
    """`def hint(params): ...` in the current block; `write` writes its statements and gives what it returns."""
    with c.block() as block:
        outs = write()
        c.body.append(s.Return(outs[0] if len(outs) == 1 else Tup(tuple(outs))))
    made = Var(hint, strong=True)
    c.body.append(s.FunctionDef("", [s.Param("", var=p) for p in params], block, var=made))
    return made


def assign_all(c: Context, targets: Sequence[Var], values: Sequence[Expr]) -> None:
    """`a, b = x, y`: all at once, since the values may read the targets."""
    pairs = [(t, v) for t, v in zip(targets, values) if t is not v]
    if len(pairs) == 1:
        c.body.append(s.Assign(*pairs[0]))
    elif pairs:
        c.body.append(s.Assign(Tup(tuple(t for t, _ in pairs)), Tup(tuple(v for _, v in pairs))))
