"""Changes of element type."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from converter.importers.onnx.tensors import element_type
from ir.core import Value
from ir.types import DType


@rule("Cast", 6, 9, 13, 19, 21, 23, 24, 25, 28)
def cast(c: OnnxContext) -> Value:
    return _cast(c, c.x(), element_type(c.attr("to")))


@rule("CastLike", 15, 19, 21, 23, 24, 25)
def cast_like(c: OnnxContext) -> Value:
    return _cast(c, c.x(), c.type(1).dtype)


def _cast(c: OnnxContext, x: Value, to: DType) -> Value:
    """Towards 8-bit floats `saturate` (the default) keeps finite and infinite values within their range."""
    c.ignore("saturate", "round_mode")  # the latter of float8e8m0 only, which is refused as an element type
    if x.type.dtype == to:
        return c.b.identity(x)
    if to.is_float and to.bits == 8:
        if c.version < 19:
            c.refuse(f"{to} exists from version 19 on")
        if c.attr("saturate"):
            return saturated(c, x, to)
    return c.b.cast(x, to=to)


def saturated(c: OnnxContext, x: Value, to: DType) -> Value:
    """A cast to an 8-bit float whose range bounds what lies beyond it."""
    kind = x.type.dtype
    wide = x if kind.is_float and kind.bits > 8 else c.b.cast(x, to="float32")  # 8-bit floats may not have the bounds
    return c.b.cast(c.b.clip(wide, float(to.min), float(to.max)), to=to)


@rule("BitCast", 26)
def bit_cast(c: OnnxContext) -> Value:
    to = element_type(c.attr("to"))
    if c.type().dtype.is_bool and to.is_integer and to.bits == 8:
        return c.b.cast(c.x(), to=to)  # a boolean is a byte, 0 or 1
    return c.b.bitcast(c.x(), to=to)
