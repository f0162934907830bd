"""Scatters: the result is the data with updates at given positions; the last visited of equal positions wins."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from ir.core import Value
from ir.types import normalize_axis


def _reduction(c: OnnxContext) -> str:
    if c.version < 16:
        return "none"
    return c.only("reduction", "none", "add", "mul", *(["max", "min"] if c.version >= 18 else []))


@rule("Scatter", 9, 11)
@rule("ScatterElements", 11, 13, 16, 18)
def scatter_elements(c: OnnxContext) -> Value:
    reduction = _reduction(c) if c.schema.name == "ScatterElements" else "none"
    axis = normalize_axis(c.attr("axis"), c.rank())
    return c.b.scatter_elements(c.x(0), c.x(1), c.x(2), axis=axis, reduction=reduction, bounds="error", neg="from_end")


@rule("ScatterND", 11, 13, 16, 18)
def scatter_nd(c: OnnxContext) -> Value:
    return c.b.scatter_nd(c.x(0), c.x(1), c.x(2), reduction=_reduction(c), bounds="error", neg="from_end")
