"""Changes of element type."""

from __future__ import annotations

from converter.exporters.code.expr import Expr
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from ir.core import Node
from ir.types import dtypes

SATURATES = (
    "a float that an integer type does not hold becomes the nearest that it does on JAX, and NaN 0; elsewhere it is what the "
    "processor's conversion makes of it"
)


@rule("cast")
def cast(c: Context, node: Node) -> Expr:
    """Floats become narrow integers by way of int32, so that what is out of range wraps, on TensorFlow as well."""
    x, to = node.operand("x"), node.attrs["to"]
    if not x.type.dtype.is_float or not to.is_integer:
        return c.cast(c.x(x), to)
    c.note(SATURATES)
    return c.cast(c.cast(c.x(x), dtypes.int32) if to.bits <= 16 else c.x(x), to)


def _same_width(node: Node) -> str | None:
    x, to = node.operand("x").type.dtype, node.attrs["to"]
    return None if x.bits == to.bits else "Keras' view changes the shape where the widths differ"


@rule("bitcast", accepts=_same_width)
def bitcast(c: Context, node: Node) -> Expr:
    return OPS.view(c.x(node.operand("x")), dtype=c.dtype(node.attrs["to"]))
