"""Resizing: repeats where every element becomes so many, `tf.image.resize` where its formula is the node's, elsewhere a
helper with all formulas."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.tensorflow.context import TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node
from ir.ops.axes import spatial_axes, spatial_sizes
from ir.ops.resize import nearest_picks


def _picks(node: Node) -> list[list[int]] | None:
    """For each spatial axis the elements that are taken, where sizes are known and nothing is interpolated."""
    a = node.attrs
    have, outs = (spatial_sizes(v.type.shape, a["layout"]) for v in (node.operand("x"), node.output))
    if a["mode"] != "nearest" or not all(isinstance(d, int) and d > 0 for d in (*have, *outs)):
        return None
    scales = a["scales"] or (None,) * len(have)
    return [
        [int(p) for p in nearest_picks(int(size), int(out), scale, a["coordinates"], a["nearest"], len(have))]
        for size, out, scale in zip(have, outs, scales)
    ]


def _repeats(node: Node) -> list[int] | None:
    """How often each element of an axis is repeated, where that is all the op does."""
    picks = _picks(node)
    have = spatial_sizes(node.operand("x").type.shape, node.attrs["layout"])
    if picks is None or any(
        len(p) % int(n) or p != [i // (len(p) // int(n)) for i in range(len(p))] for p, n in zip(picks, have)
    ):
        return None
    return [len(p) // int(n) for p, n in zip(picks, have)]


def _own_method(node: Node) -> str | None:
    """How `tf.image.resize` does it: linear between the centres of pixels, or the nearest as it computes that in float32."""
    a, x = node.attrs, node.operand("x").type
    if x.rank != 4 or a["layout"] != "channels_last" or x.dtype.name != "float32":
        return None
    have, outs = spatial_sizes(x.shape, a["layout"]), spatial_sizes(node.output.type.shape, a["layout"])
    if a["mode"] == "linear" and a["coordinates"] == "half_pixel" and not a["antialias"]:
        known = all(isinstance(d, int) for d in (*have, *outs))
        whole = a["scales"] is None or (known and all(o == n * s for n, o, s in zip(have, outs, a["scales"])))
        return "bilinear" if whole else None
    picks = _picks(node)
    if picks is None:
        return None
    own = [_nearest(int(n), len(p)) for p, n in zip(picks, have)]
    return "nearest" if own == picks else None


def _nearest(size: int, out: int) -> list[int]:
    """What `tf.image.resize` takes."""
    step = np.float32(size) / np.float32(out)
    at = np.floor((np.arange(out, dtype=np.float32) + np.float32(0.5)) * step)
    return [int(v) for v in np.minimum(at, size - 1)]


@rule("resize")
def resize(c: Context, node: Node) -> Expr:
    a, x = node.attrs, c.x(node.operand("x"))
    out = node.output.type
    axes = spatial_axes(a["layout"], out.rank)
    if 0 in out.shape:
        return TF.zeros(lift(c.shape(out.shape)), c.dtype(out.dtype))
    sizes = [c.dim(d, "size") for d in spatial_sizes(out.shape, a["layout"])]
    own = _own_method(node)
    if own is not None:
        return TF.image.resize(x, lift(sizes), **({"method": lift(own)} if own != "bilinear" else {}))
    repeats = _repeats(node)
    if repeats is not None:
        for axis, times in zip(axes, repeats):
            x = TF.repeat(x, hole(times, "times"), axis=lift(axis)) if times != 1 else x
        return x
    return c.helper("resize")(x, lift(min(axes)), lift(sizes), **_settings(node))


def _settings(node: Node) -> dict[str, Expr]:
    a = node.attrs
    found: dict[str, Any] = {} if a["scales"] is None else {"scales": list(a["scales"])}
    found |= {"mode": a["mode"]} if a["mode"] != "nearest" else {}
    found |= {"coordinates": a["coordinates"]} if a["mode"] != "area" and a["coordinates"] != "half_pixel" else {}
    found |= {"nearest": a["nearest"]} if a["mode"] == "nearest" else {}
    found |= {"cubic_a": a["cubic_a"]} if a["mode"] == "cubic" else {}
    found |= {k: True for k in ("exclude_outside", "antialias") if a[k]}
    return {k: lift(v) for k, v in found.items()}
