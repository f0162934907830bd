"""Reading at computed coordinates."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from ir.core import Value
from ir.types import DType, dtypes

_MODES = {"bilinear": "linear", "bicubic": "cubic", "nearest": "nearest", "linear": "linear", "cubic": "cubic"}


@rule("GridSample", 16, 20, 22)
def grid_sample(c: OnnxContext) -> Value:
    """Both operands in one type that holds what either does; the result in that of the image."""
    names = ("bilinear", "nearest", "bicubic") if c.version < 20 else ("linear", "nearest", "cubic")
    x, grid = c.x(0), c.x(1)
    kind = x.type.dtype
    mode, padding = _MODES[c.only("mode", *names)], c.only("padding_mode", "zeros", "border", "reflection")
    if not kind.is_float and (mode != "nearest" or kind.bits >= 64):
        c.refuse(
            f"elements of {kind} would be rounded in mode {mode}: ONNX does not say how", "cast the image to floats"
        )
    wide = _common({kind, grid.type.dtype})
    out = c.b.grid_sample(
        c.cast(x, wide), c.cast(grid, wide), mode=mode, padding=padding, align_corners=bool(c.attr("align_corners"))
    )
    return c.cast(out, kind)


def _common(kinds: set[DType]) -> DType:
    """A float type with all values of each: of the two types of 16 bits neither has the other's."""
    if len(kinds) == 1:
        return kinds.pop()
    small = all(t.bits < (64 if t.is_float else 32) for t in kinds)
    return dtypes.float32 if small else dtypes.float64
