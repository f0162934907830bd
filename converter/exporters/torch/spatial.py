"""What the spatial rules share: settings as torch takes them, padding, and channel order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.exporters.code.expr import Expr, lift
from converter.exporters.torch.context import Context, F
from ir.core import Node
from ir.ops.axes import DimPairs, explicit_padding, spatial_sizes
from ir.types import DimExpr


def squash(values: Sequence[int]) -> int | tuple[int, ...]:
    """One number where all axes agree, as torch's modules accept."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def static_pads(node: Node, window: Sequence[int]) -> DimPairs | None:
    """(before, after) of each spatial axis; None where they depend on the size of the input at run time."""
    a = node.attrs
    x = node.operand("x")
    sizes = spatial_sizes(x.type.shape, a.get("layout", "channels_first"))
    dilations = a["dilations"] or (1,) * len(sizes)
    pads = explicit_padding(a["padding"], sizes, window, a["strides"], dilations)
    return None if any(isinstance(p, DimExpr) for pair in pads for p in pair) else pads


def symmetric(pads: DimPairs) -> bool:
    """Whether torch's own padding argument can express the pads."""
    return all(before == after for before, after in pads)


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
