"""Control flow, as Python's own."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, lift
from converter.exporters.outline import context
from converter.exporters.outline.control import Words, write_cond, write_scan, write_while
from converter.exporters.torch.context import TORCH, Context
from converter.exporters.torch.table import rule
from ir.core import Node
from ir.types import TensorType


class TorchWords(Words):
    """`torch.stack(rows)`, `x.unbind()`, `x.flip(0)`."""

    def stack(self, rows: Expr, axis: int) -> Expr:
        """`torch.stack(rows, dim=axis)`."""
        return TORCH.stack(rows, **({} if axis == 0 else {"dim": lift(axis)}))

    def unstack(self, x: Expr, axis: int) -> Expr:
        """`x.unbind(axis)`."""
        return x.unbind(*([] if axis == 0 else [lift(axis)]))

    def flip(self, x: Expr, axis: int) -> Expr:
        """`x.flip(axis)`."""
        return x.flip(lift(axis))

    def empty(self, c: context.Context, shape: list[Expr], type_: TensorType) -> Expr:
        """`torch.empty(...)`."""
        assert isinstance(c, Context)
        return TORCH.empty(*shape, dtype=c.dtype(type_.dtype), **c.device())


_WORDS = TorchWords()


@rule("cond")
def cond(c: Context, node: Node) -> None:
    write_cond(c, node)


@rule("while")
def while_(c: Context, node: Node) -> None:
    write_while(c, node, _WORDS)


@rule("scan")
def scan(c: Context, node: Node) -> None:
    write_scan(c, node, _WORDS)
