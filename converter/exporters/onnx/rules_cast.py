"""Changing the element type."""

from __future__ import annotations

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import rule
from ir.core import Node
from ir.types import DType


@rule("cast")
def cast(c: Context, node: Node) -> Tensor:
    to: DType = node.attrs["to"]
    x = c.x(node, "x")
    if to.is_complex or x.dtype.is_complex:
        c.refuse("ONNX Runtime has no complex numbers")
    return c.cast(x, to)


@rule("bitcast")
def bitcast(c: Context, node: Node) -> Tensor:
    to: DType = node.attrs["to"]
    x = c.x(node, "x")
    if x.dtype.is_integer and to.is_integer:
        return c.cast(x, to)  # integers of one width wrap into each other: the bits stay
    return c.refuse(f"ONNX Runtime reads no bits of {x.dtype} as {to}")  # type: ignore[no-any-return]
