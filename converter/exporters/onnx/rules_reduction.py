"""Reductions."""

from __future__ import annotations

import math
from typing import Any

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Node, Value
from ir.ops.norm_parts import narrowed, widened
from ir.ops.reduction import reduced_axes, reduced_count
from ir.ops.slicing import slice_attrs
from ir.types import Dim, dtypes

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


@expand("reduce_max", "reduce_min")
def extreme_with_nan(b: Builder, node: Node, opset: int) -> Any:
    """NaN wherever one is among the elements, which ONNX Runtime may pass over. Within other ops it is their affair."""
    x = node.operand("x")
    if not x.type.dtype.is_float or node.origin.history or not reduced_axes(node.attrs["axes"], x.type.rank):
        return None
    found = b.reduce_any(b.isnan(x), axes=node.attrs["axes"], keepdims=node.attrs["keepdims"])
    return b.where(found, b.constant(math.nan, x.type.dtype), b.op(node.op, x=x, **node.attrs))


@expand("reduce_l2", "reduce_std")
def length(b: Builder, node: Node, opset: int) -> Value:
    """The square root alone: what gives it a gradient at 0 elsewhere computes nothing else."""
    x, attrs = node.operand("x"), dict(node.attrs)
    (wide,) = widened(b, x)
    square = b.reduce_var(wide, **attrs) if node.op.name == "reduce_std" else b.reduce_sum(b.square(wide), **attrs)
    return narrowed(b, b.sqrt(square), x)


@expand("reduce_sum", "reduce_prod", "reduce_mean")
def exact_reduction(b: Builder, node: Node, opset: int) -> Any:
    """ONNX Runtime reduces integers in float64: 32 bits and fewer are summed as int64, which is exact there, int64 is
    summed by a product with ones, and products are made pairwise. Means over nothing are NaN."""
    x = node.operand("x")
    axes = reduced_axes(node.attrs["axes"], x.type.rank)
    if not axes:
        return None
    if node.op.name == "reduce_mean":
        empty = reduced_count(x.type, axes) == 0
        return b.full(shape=node.output.type.shape, value=math.nan, dtype=x.type.dtype) if empty else None
    kind = x.type.dtype
    if kind.is_float:
        return None
    if node.op.name == "reduce_prod":
        return _pairwise_product(b, node, axes)
    if kind == dtypes.int64:
        return None if _is_small(x) else _product_with_ones(b, node, axes)
    return b.cast(b.reduce_sum(b.cast(x, to=dtypes.int64), **node.attrs), to=kind)


def _is_small(x: Value) -> bool:
    """Whether the values were integers of fewer bits before: their sums stay far below 2**53."""
    made = x.producer
    if made is None or made.op.name != "cast":
        return False
    before = made.operand("x").type.dtype
    return not before.is_float and before.bits <= 32


def _rows(b: Builder, x: Value, axes: tuple[int, ...]) -> tuple[Value, tuple[Dim, ...]]:
    """The reduced axes as one last axis; and the sizes of the others."""
    rest = tuple(a for a in range(x.type.rank) if a not in axes)
    kept = tuple(x.type.shape[a] for a in rest)
    moved = b.transpose(x, perm=(*rest, *axes))
    return b.reshape(moved, shape=(*kept, reduced_count(x.type, axes))), kept


def _finish(b: Builder, node: Node, out: Value) -> Value:
    return b.reshape(out, shape=node.output.type.shape) if out.type.shape != node.output.type.shape else out


def _product_with_ones(b: Builder, node: Node, axes: tuple[int, ...]) -> Value:
    x, _ = _rows(b, node.operand("x"), axes)
    return _finish(b, node, b.matmul(x, b.full(shape=x.type.shape[-1:], value=1, dtype=dtypes.int64)))


def _pairwise_product(b: Builder, node: Node, axes: tuple[int, ...]) -> Value:
    x, kept = _rows(b, node.operand("x"), axes)
    size, axis = x.type.shape[-1], len(kept)
    if not isinstance(size, int):
        raise NotImplementedError("a product of integers over a symbolic number of elements")
    if size == 0:
        return b.full(shape=node.output.type.shape, value=1, dtype=x.type.dtype)
    while size > 1:
        half = (size + 1) // 2
        left, right = b.slice(x, **slice_attrs(axis, 0, half, 1)), b.slice(x, **slice_attrs(axis, half, None, 1))
        if size % 2:
            right = b.pad(right, pads=(*((0, 0),) * axis, (0, 1)), value=1)
        x, size = b.mul(left, right), half
    return _finish(b, node, x)


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


