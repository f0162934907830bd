"""Slices and single positions."""

from __future__ import annotations

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import rule
from ir.core import Node
from ir.types import Dim, normalize_axis

END = 2**63 - 1
BEGIN = -(2**63)


@rule("slice")
def slice_(c: Context, node: Node) -> Tensor:
    x, a = c.x(node, "x"), node.attrs
    if not a["axes"]:
        return x
    rank = node.operand("x").type.rank
    starts: list[Dim] = [(END if step < 0 else 0) if s is None else s for s, step in zip(a["starts"], a["steps"])]
    stops: list[Dim] = [(BEGIN if step < 0 else END) if s is None else s for s, step in zip(a["stops"], a["steps"])]
    axes = c.ints([normalize_axis(axis, rank) for axis in a["axes"]])
    steps = None if all(s == 1 for s in a["steps"]) else c.ints(a["steps"])
    return c.op("Slice", x, c.dims(starts), c.dims(stops), axes, steps)


@rule("select")
def select(c: Context, node: Node) -> Tensor:
    axis = normalize_axis(node.attrs["axis"], node.operand("x").type.rank)
    return c.op("Gather", c.x(node, "x"), c.sizes.scalar(node.attrs["index"]), axis=axis)
