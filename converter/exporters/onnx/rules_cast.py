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


def _integers(node: Node) -> str | None:
    have, to = node.operand("x").type.dtype, node.attrs["to"]
    return None if have.is_integer and to.is_integer else f"ONNX Runtime reads no bits of {have} as {to}"


@rule("bitcast", accepts=_integers)
def bitcast(c: Context, node: Node) -> Tensor:
    return c.cast(c.x(node, "x"), node.attrs["to"])  # integers of one width wrap into each other: the bits stay
