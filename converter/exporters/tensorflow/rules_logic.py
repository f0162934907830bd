"""Logic and bits: Python's operators mean logic of booleans and bits of integers."""

from __future__ import annotations

from converter.exporters.code.expr import Binary, Expr, Unary, lift
from converter.exporters.tensorflow.context import TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node

_OPERATORS = {"and": "&", "or": "|", "xor": "^", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^"}


@rule(*_OPERATORS)
def operator(c: Context, node: Node) -> Expr:
    return Binary(_OPERATORS[node.op.name], *(c.x(v) for v in node.inputs))


@rule("not", "bitwise_not")
def inverse(c: Context, node: Node) -> Expr:
    return Unary("~", c.x(node.operand("x")))


@rule("shift_left", "shift_right")
def shift(c: Context, node: Node) -> Expr:
    """An amount outside of the type shifts everything out; TensorFlow leaves it open."""
    kind, y = node.output.type.dtype, c.literal(node.operand("y"))
    move = TF.bitwise.left_shift if node.op.name == "shift_left" else TF.bitwise.right_shift
    if y is not None and 0 <= y.value.value < kind.bits:
        return move(*(c.x(v) for v in node.inputs))
    signed = node.op.name == "shift_right" and kind.kind == "int"
    return c.helper("shift_any")(*(c.x(v) for v in node.inputs), lift(kind.bits), move, lift(signed))
