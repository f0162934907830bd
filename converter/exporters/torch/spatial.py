"""What the spatial rules share: settings as torch takes them, padding, and channel order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.exporters.code.expr import Expr, Tup, lift
from converter.exporters.spatial import squash, static_pads, symmetric
from converter.exporters.torch.context import Context, F
from ir.core import Node
from ir.ops.axes import explicit_padding, spatial_sizes
from ir.types import Dim, DimExpr


def pad_widths(pads: Sequence[tuple[Any, Any]]) -> tuple[Any, ...]:
    """F.pad's order: last axis first."""
    return tuple(p for pair in reversed(list(pads)) for p in pair)


def padded(c: Context, node: Node, x: Expr, window: Sequence[Dim], value: Any = 0) -> tuple[Expr, Any]:
    """(the channels-first input, padded where torch cannot; the padding left to torch)."""
    pads = static_pads(node, window)
    a = node.attrs
    dilations = a["dilations"] or (1,) * len(window)
    extra = {"value": value} if value != 0 else {}
    if pads is None and any(isinstance(w, DimExpr) for w in window):
        sizes = spatial_sizes(node.operand("x").type.shape, a["layout"])
        pads = explicit_padding(a["padding"], sizes, window, a["strides"], dilations)
        return F.pad(x, Tup(tuple(c.shape(pad_widths(pads)))), **extra), 0
    if pads is None:
        lower = a["padding"] == "same_lower"
        args = [x, lift(tuple(window)), lift(a["strides"]), lift(dilations)]
        kwargs = {"lower": True} if lower else {}
        if value != 0:
            kwargs["value"] = value
        return c.helper("pad_same")(*args, **kwargs), 0
    if symmetric(pads):
        return x, squash([int(p[0]) for p in pads])
    return F.pad(x, lift(pad_widths(pads)), **extra), 0


def first(c: Context, node: Node, x: Expr) -> Expr:
    """The input with its channels on axis 1."""
    return x if node.attrs["layout"] == "channels_first" else x.movedim(-1, 1)


def back(node: Node, y: Expr) -> Expr:
    """The output in the node's own channel order."""
    return y if node.attrs["layout"] == "channels_first" else y.movedim(1, -1)


_KEEP = ("activation", "arithmetic", "cast", "conv", "dropout", "elementwise", "modes", "norm", "pool", "resize", "shape")
"""Families whose results lie in memory as their operands do."""


def rows_first(node: Node, x: Expr) -> Expr:
    """`x`, the channels-first input of a group or instance norm, copied where it may lie channels last in memory.

    There PyTorch computes variances as E[x^2] - E[x]^2, which loses what a large mean hides: 20 times the error where
    the mean is 5 deviations, 300 times where it is 30.
    """
    images = node.operand("x").type.rank in (4, 5)
    return x.contiguous() if images and _may_lie_channels_last(node) else x


def _may_lie_channels_last(node: Node) -> bool:
    waiting, seen = [node], {node}
    while waiting:
        made = waiting.pop()
        if made.op.name == "transpose" or made.attrs.get("layout") == "channels_last":
            return True
        if made is not node and (made.op.family not in _KEEP or made.op.name in ("group_norm", "instance_norm")):
            continue
        before = {v.producer for v in made.inputs if v.producer is not None} - seen
        waiting += before
        seen |= before
    return False


__all__ = ["back", "first", "pad_widths", "padded", "rows_first", "squash", "static_pads", "symmetric"]
