"""Scatters: the result is the data with updates at given positions; the last visited of equal positions wins."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from ir.core import Value
from ir.types import dtypes, normalize_axis


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


@rule("TensorScatter", 24)
def tensor_scatter(c: OnnxContext) -> Value:
    """A run of positions of each sample is replaced, from that sample's own first position on."""
    b, cache, update = c.b, c.x(0), c.x(1)
    axis, mode = normalize_axis(c.attr("axis"), c.rank()), c.only("mode", "linear", "circular")
    if axis == 0:
        c.refuse("axis=0 is the batch, which is not defined")
    rank = c.rank()
    steps = b.arange(start=0, stop=update.type.shape[axis], step=1, dtype="int64")
    places = b.reshape(steps, shape=tuple(update.type.shape[a] if a == axis else 1 for a in range(rank)))
    if c.has(2):
        first = c.cast(c.x(2), dtypes.int64)
        places = b.add(b.unsqueeze(first, axes=tuple(range(1, rank))), places)
    if mode == "circular":
        places = b.mod(places, b.dim(size=cache.type.shape[axis]))
    places = b.expand(places, shape=update.type.shape)
    return b.scatter_elements(cache, places, update, axis=axis, reduction="none", bounds="error", neg="invalid")
