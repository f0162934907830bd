"""Logic and bits."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from ir.core import Node

_FUNCTIONS = {
    "and": "logical_and", "or": "logical_or", "xor": "logical_xor", "not": "logical_not", "bitwise_and": "bitwise_and",
    "bitwise_or": "bitwise_or", "bitwise_xor": "bitwise_xor", "bitwise_not": "bitwise_not",
}  # fmt: skip


@rule(*_FUNCTIONS)
def function(c: Context, node: Node) -> Expr:
    name = _FUNCTIONS[node.op.name]
    if node.output.type.dtype.is_bool:  # TensorFlow has no bits of booleans
        name = name.replace("bitwise", "logical")
    return getattr(OPS, name)(*(c.x(v) for v in node.inputs))


@rule("shift_left", "shift_right")
def shift(c: Context, node: Node) -> Expr:
    """An amount outside of the type shifts everything out: backends differ there."""
    kind, y = node.output.type.dtype, c.literal(node.operand("y"))
    name = "left_shift" if node.op.name == "shift_left" else "right_shift"
    if y is not None and 0 <= y.value.value < kind.bits:
        return getattr(OPS, name)(c.x(node.operand("x")), c.x(node.operand("y")))
    signed = node.op.name == "shift_right" and kind.kind == "int"
    return c.helper("shift_any")(*(c.x(v) for v in node.inputs), lift(kind.bits), getattr(OPS, name), lift(signed))
