"""Reductions."""

from __future__ import annotations

from typing import Any

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Node
from ir.ops.reduction import reduced_axes
from ir.types import dtypes

NAMES = {
    "reduce_sum": "ReduceSum", "reduce_prod": "ReduceProd", "reduce_mean": "ReduceMean", "reduce_max": "ReduceMax",
    "reduce_min": "ReduceMin",
}  # fmt: skip
SINCE_AXES_ARE_INPUTS = 18


def reduce(c: Context, kind: str, x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """One reduction; the axes are an input, or an attribute below opset 18."""
    if kind == "ReduceSum" or c.opset >= SINCE_AXES_ARE_INPUTS:
        return c.op(kind, x, c.ints(axes), keepdims=int(keepdims))
    return c.op(kind, x, axes=list(axes), keepdims=int(keepdims))


@rule(*NAMES)
def reduction(c: Context, node: Node) -> Tensor:
    x = c.x(node, "x")
    axes = reduced_axes(node.attrs["axes"], node.operand("x").type.rank)
    return reduce(c, NAMES[node.op.name], x, axes, node.attrs["keepdims"]) if axes else x


@rule("reduce_any")
def reduce_any(c: Context, node: Node) -> Tensor:
    """The number of true elements is not 0; int64 counts them all, also where there are none."""
    axes = reduced_axes(node.attrs["axes"], node.operand("x").type.rank)
    x = c.x(node, "x")
    if not axes:
        return x
    counted = reduce(c, "ReduceSum", c.cast(x, dtypes.int64), axes, node.attrs["keepdims"])
    return c.cast(counted, dtypes.bool_)


@expand("reduce_all")
def reduce_all(b: Builder, node: Node, opset: int) -> Any:
    return b.not_(b.reduce_any(b.not_(node.operand("x")), **node.attrs))


