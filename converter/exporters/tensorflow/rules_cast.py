"""Changes of element type."""

from __future__ import annotations

from converter.exporters.code.expr import Expr
from converter.exporters.tensorflow.context import TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node
from ir.types import dtypes

_BY_WAY_OF = dict.fromkeys(("int8", "uint8", "int16", "uint16"), dtypes.int32) | {"uint32": dtypes.int64}


@rule("cast")
def cast(c: Context, node: Node) -> Expr:
    """Floats become narrow integers by way of the type that processors convert to: what is out of range then wraps, as
    everywhere else, and does not depend on how TensorFlow was built."""
    x, to = c.x(node.operand("x")), node.attrs["to"]
    if node.operand("x").type.dtype.is_float and to.name in _BY_WAY_OF:
        x = c.cast(x, _BY_WAY_OF[to.name])
    return c.cast(x, to)


@rule("bitcast")
def bitcast(c: Context, node: Node) -> Expr:
    return TF.bitcast(c.x(node.operand("x")), c.dtype(node.attrs["to"]))
