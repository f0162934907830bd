"""What the spatial rules share: Keras' own padding where it is exact, padding by hand elsewhere, channels last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.exporters.code.expr import Expr, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.spatial import static_pads
from ir.core import Node
from ir.ops.axes import DimPairs, effective, explicit_padding, spatial_sizes

Pads = Sequence[tuple[int, int]]


def dilations_of(node: Node, window: Sequence[int]) -> tuple[int, ...]:
    """The dilation of each spatial axis."""
    return tuple(node.attrs.get("dilations") or (1,) * len(window))


def own_padding(node: Node, window: Sequence[int]) -> str | None:
    """`"valid"` or `"same"` where that is exactly the node's padding, whatever sizes its input may have; else None."""
    padding = node.attrs["padding"]
    if padding in ("valid", "same_upper"):
        return "valid" if padding == "valid" else "same"
    pads = static_pads(node, window)
    if pads is None:
        return None
    if not any(p for pair in pads for p in pair):
        return "valid"
    return "same" if tuple(pads) == _same(node, window) else None


def _same(node: Node, window: Sequence[int]) -> DimPairs:
    """The pads of "same". With strides of 1 they are the same for all sizes; else sizes must be known."""
    a = node.attrs
    x = node.operand("x")
    sizes = spatial_sizes(x.type.shape, a["layout"])
    dilations = dilations_of(node, window)
    if all(s == 1 for s in a["strides"]):
        extents = [int(effective(w, d)) for w, d in zip(window, dilations)]
        return tuple(((e - 1) // 2, e - 1 - (e - 1) // 2) for e in extents)
    return explicit_padding("same_upper", sizes, window, a["strides"], dilations)


def padded(c: Context, node: Node, x: Expr, window: Sequence[int], value: Any = 0) -> Expr:
    """The channels-last input, padded where Keras' own padding does not fit."""
    if own_padding(node, window) is not None:
        return x
    pads = static_pads(node, window)
    extra = {} if value == 0 else {"constant_values": lift(value)}
    if pads is not None:
        return OPS.pad(x, lift(((0, 0), *((int(a), int(b)) for a, b in pads), (0, 0))), **extra)
    lower = {"lower": lift(True)} if node.attrs["padding"] == "same_lower" else {}
    if value != 0:
        lower["value"] = lift(value)
    strides, dilations = node.attrs["strides"], dilations_of(node, window)
    return c.helper("pad_same")(x, lift(tuple(window)), lift(tuple(strides)), lift(dilations), **lower)


def last(node: Node, x: Expr) -> Expr:
    """The input with its channels on the last axis."""
    return x if node.attrs["layout"] == "channels_last" else OPS.moveaxis(x, 1, -1)


def back(node: Node, y: Expr) -> Expr:
    """The output in the node's own channel order."""
    return y if node.attrs["layout"] == "channels_last" else OPS.moveaxis(y, -1, 1)


def last_shape(node: Node) -> tuple[int | None, ...]:
    """The shape of the input with its channels last, None for sizes that vary."""
    shape = node.operand("x").type.shape
    order = shape if node.attrs["layout"] == "channels_last" else (shape[0], *shape[2:], shape[1])
    return tuple(d if isinstance(d, int) else None for d in order)
