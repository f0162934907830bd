"""ATen interpolation.

With `scale_factors` torch samples at positions divided by them; with `output_size` at the ratio of the sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.importers.base import Refusal
from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value
from ir.ops.resize import Coordinates, output_sizes, quotient_picks
from ir.types import Dim, dtypes, same


def _target(a: Call, copies: bool = False) -> dict[str, Any]:
    """The sizes, or the factors alone where they give these sizes, or both. `copies`: torch copies an axis that keeps
    its size whatever the factor, which is a factor of 1."""
    a.raw("output_size")
    factors = a.lit("scale_factors")
    sizes = a.shape[2:]
    if factors is None:
        return {"sizes": sizes}
    given = a.value("input").type.shape[2:]
    scales = tuple(float(f) for f in factors)
    if copies:
        scales = tuple(1.0 if same(x, y) is True else f for f, x, y in zip(scales, given, sizes, strict=True))
        if any(1 < f < 1.5 and not isinstance(x, int) for f, x in zip(scales, given, strict=True)):
            raise Refusal(
                "interpolation by a factor between 1 and 1.5 of a size that only the run knows: PyTorch copies an axis "
                "that keeps its size", "use recompute_scale_factor=True, or fixed sizes",
            )  # fmt: skip
    try:
        scaled = output_sizes(given, None, scales)
    except ValueError:  # depends on rounding
        return {"sizes": sizes, "scales": scales}
    enough = all(same(x, y) is True for x, y in zip(sizes, scaled, strict=True))
    return {"scales": scales} if enough else {"sizes": sizes, "scales": scales}


@rule("aten.upsample_nearest1d.vec", "aten.upsample_nearest2d.vec", "aten.upsample_nearest3d.vec")
def nearest(c: TorchContext, a: Call) -> Value:
    return _nearest(c, a, "asymmetric")


@rule("aten._upsample_nearest_exact1d.vec", "aten._upsample_nearest_exact2d.vec", "aten._upsample_nearest_exact3d.vec")
def nearest_exact(c: TorchContext, a: Call) -> Value:
    return _nearest(c, a, "half_pixel")


def _nearest(c: TorchContext, a: Call, coordinates: Coordinates) -> Value:
    x, where = a.value("input"), _target(a)
    if x.type.dtype == dtypes.float64:
        _doubles(c, x.type.shape[2:], a.shape[2:], where.get("scales"), coordinates)
    return c.b.resize(x, mode="nearest", coordinates=coordinates, nearest="quotient", **where)


def _doubles(
    c: TorchContext, given: Sequence[Dim], sizes: Sequence[Dim], scales: Sequence[float] | None, coordinates: Coordinates
) -> None:
    """Torch divides in the type of the elements, the IR in float32: doubles are refused where another one is nearest."""
    for size, out, scale in zip(given, sizes, scales or (None,) * len(sizes), strict=True):
        if isinstance(size, int) and isinstance(out, int):
            picks = [quotient_picks(size, out, scale, coordinates, len(sizes), one) for one in (np.float32, np.float64)]
            exact = bool((picks[0] == picks[1]).all())
        else:
            exact = scale is None or float(np.float32(1 / scale)) == 1 / scale
            if scale is None:
                c.note("the nearest of doubles, at sizes whose quotient float32 rounds, may be the neighbour of PyTorch's")
        if not exact:
            c.refuse("the nearest elements of doubles by a factor that float32 rounds", "use a float32 input")


@rule("aten.upsample_linear1d.vec", "aten.upsample_bilinear2d.vec", "aten.upsample_trilinear3d.vec")
def linear(c: TorchContext, a: Call) -> Value:
    return _smooth(c, a, "linear")


@rule("aten.upsample_bicubic2d.vec")
def cubic(c: TorchContext, a: Call) -> Value:
    return _smooth(c, a, "cubic")


@rule("aten._upsample_bilinear2d_aa.vec", "aten._upsample_bicubic2d_aa.vec")
def antialiased(c: TorchContext, a: Call) -> Value:
    mode = "linear" if "bilinear" in str(a.node.target) else "cubic"
    if a.lit("align_corners"):
        c.refuse("antialias together with align_corners")
    a_param = {"cubic_a": -0.5} if mode == "cubic" else {}  # Pillow's kernel, which torch uses with antialias
    return c.b.resize(
        a.value("input"), mode=mode, antialias=True, exclude_outside=True, **a_param, **_target(a, copies=True)
    )


def _smooth(c: TorchContext, a: Call, mode: str) -> Value:
    where = _target(a, copies=mode == "linear" and not a.lit("align_corners"))
    if a.lit("align_corners"):
        return c.b.resize(a.value("input"), mode=mode, coordinates="align_corners", sizes=a.shape[2:])
    return c.b.resize(a.value("input"), mode=mode, coordinates="half_pixel", **where)
