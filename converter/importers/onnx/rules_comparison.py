"""Comparisons and tests for special values."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_elementwise import binary, register
from converter.importers.onnx.table import rule
from ir.core import Value

register(
    {
        "Equal": ("equal", (7, 11, 13, 19)), "Less": ("less", (7, 9, 13)), "Greater": ("greater", (7, 9, 13)),
        "LessOrEqual": ("less_equal", (12, 16)), "GreaterOrEqual": ("greater_equal", (12, 16)),
    },
    binary,
)  # fmt: skip


@rule("IsNaN", 9, 13, 20)
def isnan(c: OnnxContext) -> Value:
    return c.b.isnan(c.x())


@rule("IsInf", 10, 20)
def isinf(c: OnnxContext) -> Value:
    return c.b.isinf(c.x(), positive=bool(c.attr("detect_positive")), negative=bool(c.attr("detect_negative")))
