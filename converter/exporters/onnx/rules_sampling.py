"""Reading at computed coordinates."""

from __future__ import annotations

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import rule
from ir.core import Node

_BEFORE_20 = {"linear": "bilinear", "nearest": "nearest", "cubic": "bicubic"}


@rule("grid_sample")
def grid_sample(c: Context, node: Node) -> Tensor:
    """Version 16 has two axes only, and names of its own for the modes."""
    a, spatial = node.attrs, node.operand("x").type.rank - 2
    if c.opset < 16 or (c.opset < 20 and spatial != 2) or (a["mode"] == "cubic" and spatial != 2):
        c.refuse(f"opset {c.opset} samples no grid of {spatial} axes by {a['mode']} interpolation")
    mode = a["mode"] if c.opset >= 20 else _BEFORE_20[a["mode"]]
    return c.op(
        "GridSample", c.x(node, "x"), c.x(node, "grid"), mode=mode, padding_mode=a["padding"],
        align_corners=int(a["align_corners"]),
    )  # fmt: skip
