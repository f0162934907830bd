"""Changes of element type."""

from __future__ import annotations

from converter.exporters.code.expr import Expr
from converter.exporters.torch.context import TORCH, Context
from converter.exporters.torch.table import rule
from ir.core import Node, Value
from ir.types import DType, dtypes

_MISSING = {"int4", "uint4"}


def no_dtype(*dtypes: DType) -> str | None:
    """Why torch cannot hold one of the types, or None."""
    missing = [d.name for d in dtypes if d.name in _MISSING]
    return f"torch has no {missing[0]}" if missing else None


@rule("cast", accepts=lambda n: no_dtype(n.attrs["to"], n.operand("x").type.dtype))
def cast(c: Context, node: Node) -> Expr:
    x, to = node.operand("x"), node.attrs["to"]
    if to == dtypes.float8_e4m3fn and not x.type.dtype.is_bool and x.type.dtype != to:
        return _overflowing(c, x)
    return c.x(x).to(c.dtype(to))


def _overflowing(c: Context, x: Value) -> Expr:
    """torch stops at 448 where the format has NaN beyond 464, the last value that rounds to 448."""
    kind = x.type.dtype
    wide = c.x(x) if kind.is_float and kind.bits > 8 else c.x(x).to(c.dtype(dtypes.float32))
    tensor = c.name_once(wide, "value")
    return TORCH.where(tensor.abs() <= 464, tensor, TORCH.nan).to(c.dtype(dtypes.float8_e4m3fn))


@rule("bitcast")
def bitcast(c: Context, node: Node) -> Expr:
    return c.x(node.operand("x")).view(c.dtype(node.attrs["to"]))
