"""Comparisons and tests of floats."""

from __future__ import annotations

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import rule
from ir.core import Node, Value
from ir.types import dtypes

NAMES = {
    "equal": "Equal", "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater", "greater_equal": "GreaterOrEqual",
}  # fmt: skip


@rule(*NAMES)
def compare(c: Context, node: Node) -> Tensor:
    return c.op(NAMES[node.op.name], *_sides(c, node))


@rule("not_equal")
def not_equal(c: Context, node: Node) -> Tensor:
    return c.op("Not", c.op("Equal", *_sides(c, node)))


def _sides(c: Context, node: Node) -> list[Tensor]:
    """Both operands; in float32 where one was rounded just before.

    ONNX Runtime's CPU kernels compare in float32, and it cancels its own cast against a cast to a half float in front of
    it: a number then differs from a copy of itself. It does not cancel a cast that the model holds.
    """
    sides = [c.x(node, "x"), c.x(node, "y")]
    rounded = any(_is_rounding(node.operand(side)) for side in ("x", "y"))
    return [c.cast(side, dtypes.float32) for side in sides] if rounded else sides


def _is_rounding(value: Value) -> bool:
    source = value.producer.operand("x").type.dtype if value.producer and value.producer.op.name == "cast" else None
    return value.type.dtype.is_half and source is not None and source.is_float and not source.is_half


@rule("isnan")
def isnan(c: Context, node: Node) -> Tensor:
    return c.op("IsNaN", c.x(node, "x"))


@rule("isinf")
def isinf(c: Context, node: Node) -> Tensor:
    positive, negative = node.attrs["positive"], node.attrs["negative"]
    x = c.x(node, "x")
    x = c.cast(x, dtypes.float32) if x.dtype.is_half else x  # ONNX takes half floats from opset 20 on
    return c.op("IsInf", x, detect_positive=int(positive), detect_negative=int(negative))


@rule("isfinite")
def isfinite(c: Context, node: Node) -> Tensor:
    x = c.x(node, "x")
    x = c.cast(x, dtypes.float32) if x.dtype.is_half else x
    return c.op("Not", c.op("Or", c.op("IsNaN", x), c.op("IsInf", x)))
