"""Resizing: repeats where every element becomes so many, elsewhere a helper with all formulas. Keras' own
`ops.image.resize` rounds, weighs and treats edges in another way on each backend."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from ir.core import Node
from ir.ops.axes import spatial_axes, spatial_sizes
from ir.ops.resize import nearest_picks


def _repeats(node: Node) -> list[int] | None:
    """How often each element of an axis is repeated, where that is all the op does."""
    a = node.attrs
    if a["mode"] != "nearest":
        return None
    found = []
    have, outs = (spatial_sizes(v.type.shape, a["layout"]) for v in (node.operand("x"), node.output))
    for k, (size, out) in enumerate(zip(have, outs)):
        scale = None if a["scales"] is None else a["scales"][k]
        if not isinstance(size, int) or not isinstance(out, int) or size == 0 or out % size or out == 0:
            return None
        picks = nearest_picks(size, out, scale, a["coordinates"], a["nearest"], len(have))
        if list(picks) != [i // (out // size) for i in range(out)]:
            return None
        found.append(out // size)
    return found


@rule("resize")
def resize(c: Context, node: Node) -> Expr:
    a, x = node.attrs, c.x(node.operand("x"))
    axes = spatial_axes(a["layout"], node.operand("x").type.rank)
    repeats = _repeats(node)
    if repeats is not None:
        for axis, times in zip(axes, repeats):
            x = OPS.repeat(x, hole(times, "times"), axis=lift(axis)) if times != 1 else x
        return x
    if 0 in node.operand("x").type.shape or 0 in node.output.type.shape:
        return OPS.zeros(lift(tuple(c.shape(node.output.type.shape))), dtype=c.dtype(node.output.type.dtype))
    settings: dict[str, Any] = {"mode": a["mode"]} if a["mode"] != "nearest" else {}
    if a["mode"] != "area":
        settings["coordinates"] = a["coordinates"]
    if a["mode"] == "nearest":
        settings["nearest"] = a["nearest"]
    if a["mode"] == "cubic":
        settings["cubic_a"] = a["cubic_a"]
    settings |= {k: True for k in ("exclude_outside", "antialias") if a[k]}
    sizes = [c.dim(d, "size") for d in spatial_sizes(node.output.type.shape, a["layout"])]
    scales = {} if a["scales"] is None else {"scales": lift(list(a["scales"]))}
    given = {k: lift(v) for k, v in settings.items()}
    return c.helper("resize")(x, lift(min(axes)), lift(sizes), **scales, **given)
