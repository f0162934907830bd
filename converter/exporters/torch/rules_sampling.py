"""Reading at computed coordinates."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.torch.context import Context, F
from converter.exporters.torch.table import rule
from ir.core import Node
from ir.types import dtypes

_MODES = {"linear": "bilinear", "nearest": "nearest", "cubic": "bicubic"}


def _missing(node: Node) -> str | None:
    spatial, mode = node.operand("x").type.rank - 2, node.attrs["mode"]
    fine = spatial == 2 or (spatial == 3 and mode != "cubic")
    return None if fine else f"torch samples no grid of {spatial} axes by {mode} interpolation"


@rule("grid_sample", accepts=_missing)
def grid_sample(c: Context, node: Node) -> Expr:
    """torch's bfloat16 kernel rounds the coordinates: they and the values are read as float32."""
    a, kind = node.attrs, node.output.type.dtype
    x, grid = c.x(node.operand("x")), c.x(node.operand("grid"))
    if kind == dtypes.bfloat16:
        x, grid = x.float(), grid.float()
    out = F.grid_sample(
        x, grid, mode=hole(_MODES[a["mode"]], "mode", "bilinear"),
        padding_mode=hole(a["padding"], "padding_mode", "zeros"), align_corners=lift(a["align_corners"]),
    )  # fmt: skip
    return out.to(c.dtype(kind)) if kind == dtypes.bfloat16 else out
