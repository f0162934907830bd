"""Operators of ONNX Runtime's own domain that became standard ones, and two that rearrange."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_sampling import grid_sample
from converter.importers.onnx.rules_shape import trilu
from converter.importers.onnx.table import microsoft
from ir.core import Value

microsoft("Trilu")(trilu)
microsoft("GridSample")(grid_sample)


@microsoft("GatherND")
def gather_nd(c: OnnxContext) -> Value:
    return c.b.gather_nd(c.x(0), c.x(1), bounds="error", neg="from_end")


@microsoft("ExpandDims")
def expand_dims(c: OnnxContext) -> Value:
    """A new axis of size 1; its place is an operand, negative from the end of the result."""
    (axis,) = c.ints(1, "the axis")
    return c.b.unsqueeze(c.x(0), axes=(axis,))


@microsoft("UnfoldTensor")
def unfold_tensor(c: OnnxContext) -> Value:
    """Windows along an axis, their elements on a new last axis."""
    return c.b.unfold(c.x(), axis=c.attr("dim"), size=c.attr("size"), step=c.attr("step"))


@microsoft("CDist")
def cdist(c: OnnxContext) -> Value:
    """Distances between the rows of two matrices."""
    metric = c.only("metric", "sqeuclidean", "euclidean")
    apart = c.b.sub(c.b.unsqueeze(c.x(0), axes=(1,)), c.b.unsqueeze(c.x(1), axes=(0,)))
    total = c.b.reduce_sum(c.b.square(apart), axes=(2,))
    return total if metric == "sqeuclidean" else c.b.sqrt(total)
