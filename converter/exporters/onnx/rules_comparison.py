"""Comparisons and tests of floats."""

from __future__ import annotations

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import rule
from ir.core import Node
from ir.types import dtypes

NAMES = {
    "equal": "Equal", "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater", "greater_equal": "GreaterOrEqual",
}  # fmt: skip


@rule(*NAMES)
def compare(c: Context, node: Node) -> Tensor:
    return c.op(NAMES[node.op.name], c.x(node, "x"), c.x(node, "y"))


@rule("not_equal")
def not_equal(c: Context, node: Node) -> Tensor:
    return c.op("Not", c.op("Equal", c.x(node, "x"), c.x(node, "y")))


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
