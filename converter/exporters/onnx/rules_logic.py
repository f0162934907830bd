"""Logic, bits and shifts."""

from __future__ import annotations

from typing import Any

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Node
from ir.types import DType, dtypes

LOGIC = {"and": "And", "or": "Or", "xor": "Xor"}
BITS = {"bitwise_and": ("And", "BitwiseAnd"), "bitwise_or": ("Or", "BitwiseOr"), "bitwise_xor": ("Xor", "BitwiseXor")}


@rule(*LOGIC)
def logic(c: Context, node: Node) -> Tensor:
    return c.op(LOGIC[node.op.name], c.x(node, "x"), c.x(node, "y"))


@rule("not")
def not_(c: Context, node: Node) -> Tensor:
    return c.op("Not", c.x(node, "x"))


@rule(*BITS)
def bits(c: Context, node: Node) -> Tensor:
    x, y = c.x(node, "x"), c.x(node, "y")
    of_bool, of_integers = BITS[node.op.name]
    if x.dtype.is_bool:
        return c.op(of_bool, x, y)
    c.needs(18, of_integers)
    return c.op(of_integers, x, y)


@rule("bitwise_not")
def bitwise_not(c: Context, node: Node) -> Tensor:
    """-1 - x, which flips every bit."""
    x = c.x(node, "x")
    if x.dtype.is_bool:
        return c.op("Not", x)
    return c.op("Sub", c.like(x.dtype.max if x.dtype.kind == "uint" else -1, x), x)


def unsigned(node: Node) -> str | None:
    """ONNX shifts unsigned integers only, by less than their width."""
    return None if node.operand("x").type.dtype.kind == "uint" else "ONNX shifts unsigned integers only"


@expand("shift_left", "shift_right")
def shift(b: Builder, node: Node, opset: int) -> Any:
    """Signed integers are shifted as unsigned ones of their bits; negative ones to the right as their complement.

    Amounts outside the width, which ONNX leaves open, shift everything out.
    """
    x, y = node.operand("x"), node.operand("y")
    kind = x.type.dtype
    bits_of = dtypes.dtype(f"uint{kind.bits}")
    right = node.op.name == "shift_right"
    signed = kind.kind == "int"
    if not signed and _bounded(y, kind):
        return None
    inside = b.and_(b.greater_equal(y, 0), b.less(y, kind.bits)) if signed else b.less(y, kind.bits)
    negative = b.less(x, 0) if signed and right else None
    source = x if negative is None else b.where(negative, b.sub(-1, x), x)
    amount = b.minimum(b.maximum(y, 0), kind.bits - 1) if signed else b.minimum(y, kind.bits - 1)
    moved = (b.shift_right if right else b.shift_left)(b.cast(source, to=bits_of), b.cast(amount, to=bits_of))
    out = b.where(inside, b.cast(moved, to=kind), 0)
    return out if negative is None else b.where(negative, b.sub(-1, out), out)


def _bounded(y: Any, kind: DType) -> bool:
    """Whether the amount is a constant within the width, or already limited (possibly behind a cast)."""
    from converter.exporters.onnx.rules_arithmetic import known

    made = y.producer
    if made is not None and made.op.name == "cast":
        return _bounded(made.operand("x"), kind)
    array = known(y)
    if array is not None:
        return bool((array < kind.bits).all())
    limit = known(made.operand("y")) if made is not None and made.op.name == "minimum" else None
    return limit is not None and bool((limit < kind.bits).all())


@rule("shift_left", "shift_right", accepts=unsigned)
def bit_shift(c: Context, node: Node) -> Tensor:
    direction = "LEFT" if node.op.name == "shift_left" else "RIGHT"
    x, y = c.x(node, "x"), c.x(node, "y")
    if x.dtype == dtypes.uint16:  # no kernel: 32 bits shift the same bits, the cast back drops the rest
        x, y = c.cast(x, dtypes.uint32), c.cast(y, dtypes.uint32)
        return c.cast(c.op("BitShift", x, y, direction=direction), dtypes.uint16)
    return c.op("BitShift", x, y, direction=direction)
