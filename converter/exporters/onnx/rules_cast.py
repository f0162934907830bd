"""Changing the element type."""

from __future__ import annotations

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import rule
from ir.core import Node
from ir.types import DType, dtypes


@rule("cast")
def cast(c: Context, node: Node) -> Tensor:
    to: DType = node.attrs["to"]
    x = c.x(node, "x")
    if to == dtypes.uint64 and x.dtype.is_float:
        return _to_uint64(c, x)
    return c.cast(x, to)


def _to_uint64(c: Context, x: Tensor) -> Tensor:
    """Through int64, except for what only uint64 holds: kernels disagree on the rest."""
    source = c.cast(x, dtypes.float64)
    high = c.op(
        "And", c.op("GreaterOrEqual", source, c.like(2.0**63, source)), c.op("Less", source, c.like(2.0**64, source))
    )  # fmt: skip
    low = c.cast(source, dtypes.int64)
    shifted = c.cast(c.op("Sub", source, c.like(2.0**63, source)), dtypes.int64)
    bits = c.op("Where", high, c.op("Add", shifted, c.const(-(2**63), dtypes.int64)), low)
    return c.cast(bits, dtypes.uint64)


@rule("bitcast")
def bitcast(c: Context, node: Node) -> Tensor:
    to: DType = node.attrs["to"]
    x = c.x(node, "x")
    if x.dtype.is_integer and to.is_integer:
        return c.cast(x, to)  # integers of one width wrap into each other: the bits stay
    return c.refuse(f"ONNX Runtime reads no bits of {x.dtype} as {to}")  # type: ignore[no-any-return]
