"""What the spatial rules share: settings as torch takes them, padding, and channel order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.exporters.code.expr import Expr, lift
from converter.exporters.spatial import squash, static_pads, symmetric
from converter.exporters.torch.context import Context, F
from ir.core import Node


def pad_widths(pads: Sequence[tuple[Any, Any]]) -> tuple[Any, ...]:
    """F.pad's order: last axis first."""
    return tuple(p for pair in reversed(list(pads)) for p in pair)


def padded(c: Context, node: Node, x: Expr, window: Sequence[int], value: Any = 0) -> tuple[Expr, Any]:
    """(the channels-first input, padded where torch cannot; the padding left to torch)."""
    pads = static_pads(node, window)
    a = node.attrs
    if pads is None:
        dilations = a["dilations"] or (1,) * len(window)
        lower = a["padding"] == "same_lower"
        args = [x, lift(tuple(window)), lift(a["strides"]), lift(dilations)]
        kwargs = {"lower": True} if lower else {}
        if value != 0:
            kwargs["value"] = value
        return c.helper("pad_same")(*args, **kwargs), 0
    if symmetric(pads):
        return x, squash([int(p[0]) for p in pads])
    extra = {"value": value} if value != 0 else {}
    return F.pad(x, lift(pad_widths(pads)), **extra), 0


def first(c: Context, node: Node, x: Expr) -> Expr:
    """The input with its channels on axis 1."""
    return x if node.attrs["layout"] == "channels_first" else x.movedim(-1, 1)


def back(node: Node, y: Expr) -> Expr:
    """The output in the node's own channel order."""
    return y if node.attrs["layout"] == "channels_first" else y.movedim(1, -1)


__all__ = ["back", "first", "pad_widths", "padded", "squash", "static_pads", "symmetric"]
