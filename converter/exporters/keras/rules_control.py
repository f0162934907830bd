"""Control flow, as Python's own. A predicate must have a value: where Keras traces a call it has none, and it says so."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from converter.exporters.outline import context
from converter.exporters.outline.control import Words, write_cond, write_scan, write_while
from ir.core import Node
from ir.ops.bodies import is_always
from ir.types import TensorType

EAGER = (
    "branches and loops whose course depends on values are Python's own: compile the model with run_eagerly=True to fit it, "
    "and call it rather than its `predict`"
)


class KerasWords(Words):
    """`ops.stack(rows)`, `ops.unstack(x)`, `ops.flip(x)`."""

    def stack(self, rows: Expr, axis: int) -> Expr:
        """`ops.stack(rows, axis=axis)`."""
        return OPS.stack(rows, **({} if axis == 0 else {"axis": lift(axis)}))

    def unstack(self, x: Expr, axis: int) -> Expr:
        """`ops.unstack(x, axis=axis)`."""
        return OPS.unstack(x, **({} if axis == 0 else {"axis": lift(axis)}))

    def flip(self, x: Expr, axis: int) -> Expr:
        """`ops.flip(x, axis=axis)`."""
        return OPS.flip(x, axis=lift(axis))

    def empty(self, c: context.Context, shape: list[Expr], type_: TensorType) -> Expr:
        """`ops.zeros(shape)`."""
        return OPS.zeros(lift(tuple(shape)), dtype=c.dtype(type_.dtype))


_WORDS = KerasWords()


@rule("cond")
def cond(c: Context, node: Node) -> None:
    c.note(EAGER)
    write_cond(c, node)


@rule("while")
def while_(c: Context, node: Node) -> None:
    if not is_always(node.bodies["cond"]) or node.operands["trip_count"] is not None:
        c.note(EAGER)
    write_while(c, node, _WORDS)


@rule("scan")
def scan(c: Context, node: Node) -> None:
    write_scan(c, node, _WORDS)
