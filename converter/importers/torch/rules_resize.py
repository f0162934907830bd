"""ATen interpolation.

With `scale_factors` torch samples at positions divided by them; with `output_size` at the ratio of the sizes.
"""

from __future__ import annotations

from typing import Any

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value


def _target(a: Call) -> dict[str, Any]:
    a.raw("output_size")
    factors = a.lit("scale_factors")
    found: dict[str, Any] = {"sizes": a.shape[2:]}
    if factors is not None:
        found["scales"] = tuple(float(f) for f in factors)
    return found


@rule("aten.upsample_nearest1d.vec", "aten.upsample_nearest2d.vec", "aten.upsample_nearest3d.vec")
def nearest(c: TorchContext, a: Call) -> Value:
    return c.b.resize(a.value("input"), mode="nearest", coordinates="asymmetric", nearest="floor", **_target(a))


@rule("aten._upsample_nearest_exact1d.vec", "aten._upsample_nearest_exact2d.vec", "aten._upsample_nearest_exact3d.vec")
def nearest_exact(c: TorchContext, a: Call) -> Value:
    where = _target(a)
    return c.b.resize(a.value("input"), mode="nearest", coordinates="half_pixel", nearest="round_prefer_ceil", **where)


@rule("aten.upsample_linear1d.vec", "aten.upsample_bilinear2d.vec", "aten.upsample_trilinear3d.vec")
def linear(c: TorchContext, a: Call) -> Value:
    return _smooth(c, a, "linear", antialias=False)


@rule("aten.upsample_bicubic2d.vec")
def cubic(c: TorchContext, a: Call) -> Value:
    return _smooth(c, a, "cubic", antialias=False)


@rule("aten._upsample_bilinear2d_aa.vec", "aten._upsample_bicubic2d_aa.vec")
def antialiased(c: TorchContext, a: Call) -> Value:
    mode = "linear" if "bilinear" in str(a.node.target) else "cubic"
    if a.lit("align_corners"):
        c.refuse("antialias together with align_corners")
    a_param = {"cubic_a": -0.5} if mode == "cubic" else {}  # Pillow's kernel, which torch uses with antialias
    return c.b.resize(a.value("input"), mode=mode, antialias=True, exclude_outside=True, **a_param, **_target(a))


def _smooth(c: TorchContext, a: Call, mode: str, antialias: bool) -> Value:
    where = _target(a)
    if a.lit("align_corners"):
        return c.b.resize(a.value("input"), mode=mode, coordinates="align_corners", sizes=where["sizes"])
    return c.b.resize(a.value("input"), mode=mode, coordinates="half_pixel", antialias=antialias, **where)
