"""Pooling."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, hole
from converter.exporters.torch.context import F, Context
from converter.exporters.torch.spatial import back, first, padded, squash
from converter.exporters.torch.table import rule
from ir.core import Node


@rule("max_pool")
def max_pool(c: Context, node: Node) -> Expr:
    a = node.attrs
    window = a["window"]
    x, padding = padded(c, node, first(c, node, c.x(node.operand("x"))), window, float("-inf"))
    result = getattr(F, f"max_pool{len(window)}d")(
        x,
        hole(squash(window), "kernel_size"),
        stride=hole(squash(a["strides"]), "stride"),
        padding=hole(padding, "padding", 0),
        dilation=hole(squash(a["dilations"]), "dilation", 1),
        ceil_mode=hole(a["ceil_mode"], "ceil_mode", False),
    )
    return back(node, result)
