"""Resizing: torch's interpolate where its formula is the op's, a helper with all formulas elsewhere."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.torch.context import Context, F
from converter.exporters.torch.spatial import back, first
from converter.exporters.torch.table import rule
from ir.core import Node
from ir.ops.axes import spatial_sizes

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def _native_mode(node: Node) -> dict[str, Any] | None:
    """Settings of F.interpolate, or None where it computes something else."""
    a = node.attrs
    dims = node.operand("x").type.rank - 2
    if not 1 <= dims <= 3 or not node.operand("x").type.dtype.is_float:
        return None
    if a["mode"] == "area":
        return {"mode": lift("area")}
    if a["antialias"]:
        return None
    if a["mode"] == "nearest":
        native = a["coordinates"] == "asymmetric" and a["nearest"] == "floor"
        return {"mode": hole("nearest", "mode", "nearest")} if native else None
    corners = a["coordinates"] == "align_corners"
    if not corners and a["coordinates"] != "half_pixel":
        return None
    if a["mode"] == "linear":
        return {"mode": lift(_LINEAR[dims]), "align_corners": hole(corners, "align_corners", False)}
    cubic = dims == 2 and a["cubic_a"] == -0.75 and not a["exclude_outside"]
    return {"mode": lift("bicubic"), "align_corners": hole(corners, "align_corners", False)} if cubic else None


@rule("resize")
def resize(c: Context, node: Node) -> Expr:
    a = node.attrs
    x = first(c, node, c.x(node.operand("x")))
    native = _native_mode(node)
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
