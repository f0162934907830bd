"""Resizing: torch's interpolate where its formula is the op's, a helper with all formulas elsewhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.torch.context import Context, F
from converter.exporters.torch.spatial import back, first
from converter.exporters.torch.table import rule
from ir.core import Node
from ir.ops.axes import spatial_sizes
from ir.ops.resize import nearest_picks
from ir.types import dtypes

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
_ROUNDING = {"asymmetric": "floor", "half_pixel": "round_prefer_ceil"}
_NEAREST = {"asymmetric": "nearest", "half_pixel": "nearest-exact"}


def _native_mode(node: Node) -> dict[str, Any] | None:
    """Settings of F.interpolate, or None where it computes something else."""
    a = node.attrs
    dims = node.operand("x").type.rank - 2
    if 0 in node.operand("x").type.shape[1:] or 0 in node.output.type.shape[1:]:
        return None
    kind = node.operand("x").type.dtype
    if not 1 <= dims <= 3 or not (kind.is_float or kind == dtypes.uint8 and a["mode"] == "nearest"):
        return None
    if a["mode"] == "area":
        return {"mode": lift("area")}
    if a["antialias"]:
        return None
    if a["mode"] == "nearest":
        mode = _NEAREST.get(a["coordinates"])
        return {"mode": hole(mode, "mode", "nearest")} if mode and _same_elements(node) else None
    corners = a["coordinates"] == "align_corners"
    if not corners and a["coordinates"] != "half_pixel":
        return None
    if a["mode"] == "linear":
        copied = not corners and _may_be_copied(node)
        return None if copied else {"mode": lift(_LINEAR[dims]), "align_corners": hole(corners, "align_corners", False)}
    cubic = dims == 2 and a["cubic_a"] == -0.75 and not a["exclude_outside"]
    return {"mode": lift("bicubic"), "align_corners": hole(corners, "align_corners", False)} if cubic else None


def _same_elements(node: Node) -> bool:
    """Whether the op picks what torch does, by positions rounded to float32; known for fixed sizes and powers of two."""
    a = node.attrs
    if a["nearest"] == "quotient":
        return True
    have, outs = (spatial_sizes(v.type.shape, a["layout"]) for v in (node.operand("x"), node.output))
    for size, out, scale in zip(have, outs, a["scales"] or (None,) * len(have)):
        if isinstance(size, int) and isinstance(out, int):
            where = (size, out, scale, a["coordinates"])
            own, torchs = (nearest_picks(*where, how, len(have)) for how in (a["nearest"], "quotient"))
            if not np.array_equal(own, torchs):
                return False
        elif a["nearest"] != _ROUNDING[a["coordinates"]] or not _is_power_of_two(scale):
            return False
    return True


def _may_be_copied(node: Node) -> bool:
    """Whether an axis may keep its size by a factor other than 1: torch then copies it."""
    a = node.attrs
    have, outs = (spatial_sizes(v.type.shape, a["layout"]) for v in (node.operand("x"), node.output))
    return any(
        scale != 1 and (size == out if isinstance(size, int) else 1 < scale < 1.5)
        for size, out, scale in zip(have, outs, a["scales"] or ())
    )


def _is_power_of_two(scale: float | None) -> bool:
    return scale is not None and math.frexp(scale)[0] == 0.5


def _whole(factors: Any) -> Expr:
    """2 for 2.0."""
    if isinstance(factors, tuple):
        return lift(tuple(int(f) if f.is_integer() else f for f in factors))
    return lift(int(factors) if factors.is_integer() else factors)


@rule("resize")
def resize(c: Context, node: Node) -> Expr:
    a = node.attrs
    x = first(c, node, c.x(node.operand("x")))
    native = _native_mode(node)
    if native is not None and a["sizes"] is None and a["mode"] != "area":
        factors = a["scales"] if len(set(a["scales"])) > 1 else a["scales"][0]
        return back(node, F.interpolate(x, scale_factor=_whole(factors), **native))
    if native is not None and (a["scales"] is None or a["mode"] == "area"):
        size = spatial_sizes(node.output.type.shape, a["layout"])
        dims = [c.dim(d, "size") for d in size]
        return back(node, F.interpolate(x, size=lift(dims[0] if len(dims) == 1 else tuple(dims)), **native))
    settings: dict[str, Any] = {"mode": a["mode"], "coordinates": a["coordinates"]}
    if a["mode"] == "nearest":
        settings["nearest"] = a["nearest"]
    if a["mode"] == "cubic":
        settings |= {"cubic_a": a["cubic_a"]}
    if a["exclude_outside"]:
        settings["exclude_outside"] = True
    if a["antialias"]:
        settings["antialias"] = True
    sizes = [c.dim(d, "size") for d in spatial_sizes(node.output.type.shape, a["layout"])]
    scales = {} if a["scales"] is None else {"scales": lift(list(a["scales"]))}
    return back(node, c.helper("resize")(x, lift(sizes), **scales, **{k: lift(v) for k, v in settings.items()}))
