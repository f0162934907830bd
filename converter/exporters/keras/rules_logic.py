"""Logic and bits."""

from __future__ import annotations

from converter.exporters.code.expr import Expr
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from ir.core import Node

_FUNCTIONS = {
    "and": "logical_and", "or": "logical_or", "xor": "logical_xor", "not": "logical_not", "bitwise_and": "bitwise_and",
    "bitwise_or": "bitwise_or", "bitwise_xor": "bitwise_xor", "bitwise_not": "bitwise_not",
    "shift_left": "left_shift", "shift_right": "right_shift",
}  # fmt: skip


@rule(*_FUNCTIONS)
def function(c: Context, node: Node) -> Expr:
    return getattr(OPS, _FUNCTIONS[node.op.name])(*(c.x(v) for v in node.inputs))
