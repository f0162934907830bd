"""What the spatial rules share: Keras' own padding where it is exact, padding by hand elsewhere, channels last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.exporters.code.expr import Expr, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.spatial import dilations_of, last_shape, own_padding, static_pads
from ir.core import Node


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


__all__ = ["back", "dilations_of", "last", "last_shape", "own_padding", "padded"]
