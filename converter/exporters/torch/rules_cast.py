"""Changes of element type."""

from __future__ import annotations

from converter.exporters.code.expr import Expr
from converter.exporters.torch.context import Context
from converter.exporters.torch.table import rule
from ir.core import Node
from ir.types import DType

_MISSING = {"int4", "uint4"}


def no_dtype(*dtypes: DType) -> str | None:
    """Why torch cannot hold one of the types, or None."""
    missing = [d.name for d in dtypes if d.name in _MISSING]
    return f"torch has no {missing[0]}" if missing else None


@rule("cast", accepts=lambda n: no_dtype(n.attrs["to"], n.operand("x").type.dtype))
def cast(c: Context, node: Node) -> Expr:
    return c.x(node.operand("x")).to(c.dtype(node.attrs["to"]))


@rule("bitcast", accepts=lambda n: no_dtype(n.attrs["to"], n.operand("x").type.dtype))
def bitcast(c: Context, node: Node) -> Expr:
    return c.x(node.operand("x")).view(c.dtype(node.attrs["to"]))
