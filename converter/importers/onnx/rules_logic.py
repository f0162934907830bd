"""Logic on booleans and on the bits of integers."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_elementwise import binary, register, unary
from converter.importers.onnx.table import rule
from ir.core import Value

register(
    {
        "And": ("and_", (7,)), "Or": ("or_", (7,)), "Xor": ("xor", (7,)),
        "BitwiseAnd": ("bitwise_and", (18,)), "BitwiseOr": ("bitwise_or", (18,)), "BitwiseXor": ("bitwise_xor", (18,)),
    },
    binary,
)  # fmt: skip
register({"Not": ("not_", (1,)), "BitwiseNot": ("bitwise_not", (18,))}, unary)


@rule("BitShift", 11, 28)
def bit_shift(c: OnnxContext) -> Value:
    direction = c.only("direction", "LEFT", "RIGHT")
    return (c.b.shift_left if direction == "LEFT" else c.b.shift_right)(c.x(0), c.x(1))
