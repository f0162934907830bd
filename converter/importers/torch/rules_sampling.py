"""ATen's sampling at computed positions."""

from __future__ import annotations

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value

_MODES = ("linear", "nearest", "cubic")
_BEYOND = ("zeros", "border", "reflection")


@rule("aten.grid_sampler.default", "aten.grid_sampler_2d.default", "aten.grid_sampler_3d.default")
def grid_sampler(c: TorchContext, a: Call) -> Value:
    mode, padding = _MODES[a.lit("interpolation_mode")], _BEYOND[a.lit("padding_mode")]
    return c.b.grid_sample(a.value("input"), a.value("grid"), mode=mode, padding=padding, align_corners=a.lit("align_corners"))
