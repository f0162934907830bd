"""Slices."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.slices import slice_arguments
from converter.importers.onnx.table import rule
from ir.core import Value


@rule("Slice", 1, 10, 11, 13)
def slice_(c: OnnxContext) -> Value:
    axes, starts, stops, steps = slice_arguments(c)
    return c.b.slice(c.x(), axes=axes, starts=starts, stops=stops, steps=steps)
