"""Reading at computed coordinates."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from ir.core import Value

_MODES = {"bilinear": "linear", "bicubic": "cubic", "nearest": "nearest", "linear": "linear", "cubic": "cubic"}


@rule("GridSample", 16, 20, 22)
def grid_sample(c: OnnxContext) -> Value:
    """Both operands in the wider of their types; the result in that of the image."""
    names = ("bilinear", "nearest", "bicubic") if c.version < 20 else ("linear", "nearest", "cubic")
    x, grid = c.x(0), c.x(1)
    kind = x.type.dtype
    wide = grid.type.dtype if grid.type.dtype.bits > kind.bits else kind
    mode, padding = _MODES[c.only("mode", *names)], c.only("padding_mode", "zeros", "border", "reflection")
    out = c.b.grid_sample(
        c.cast(x, wide), c.cast(grid, wide), mode=mode, padding=padding, align_corners=bool(c.attr("align_corners"))
    )
    return c.cast(out, kind)
