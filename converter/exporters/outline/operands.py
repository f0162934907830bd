"""How rules of any framework read operands and axes."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Lit, lift
from converter.exporters.outline.context import Context
from ir.core import Node
from ir.types import Dim, DimExpr


def numbers(c: Context, node: Node) -> tuple[Expr, Expr]:
    """Both operands, a constant one as a Python number unless both are."""
    x, y = node.operand("x"), node.operand("y")
    if c.literal(y) is not None and c.literal(x) is None:
        return c.x(x), c.number_or_x(y)
    if c.literal(x) is not None and c.literal(y) is None:
        return c.number_or_x(x), c.x(y)
    return c.x(x), c.x(y)


def divided(c: Context, node: Node) -> tuple[Expr, Expr]:
    """Both operands of a function whose first must be a tensor."""
    x, y = node.operand("x"), node.operand("y")
    return c.x(x), c.number_or_x(y) if c.literal(x) is None else c.x(y)


def axes_of(node: Node) -> tuple[int, ...] | None:
    """The axes as given; None where all are reduced without keeping them."""
    axes, rank = node.attrs["axes"], node.operand("x").type.rank
    every = axes is None or len(axes) == rank
    if every and not node.attrs["keepdims"]:
        return None
    return tuple(range(rank)) if axes is None else axes


def shape_argument(c: Context, shape: tuple[Dim, ...]) -> Expr:
    """A shape; one dim that is an expression prints as -1 where that is exact: no other dim can be zero."""
    symbolic = [i for i, d in enumerate(shape) if isinstance(d, DimExpr)]
    if len(symbolic) == 1 and all(d != 0 for d in shape):
        return lift(tuple(Lit(-1) if i in symbolic else c.dim(d, f"dim{i}") for i, d in enumerate(shape)))
    return lift(tuple(c.dim(d, f"dim{i}") for i, d in enumerate(shape)))
