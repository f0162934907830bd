"""What the spatial rules share: TensorFlow's own padding where it is exact, padding by hand elsewhere, channels last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.exporters.code.expr import Expr, lift
from converter.exporters.spatial import dilations_of, own_padding, static_pads
from converter.exporters.tensorflow.context import TF, Context
from ir.core import Node, Value
from ir.types import Dim


def padded(c: Context, node: Node, x: Expr, window: Sequence[int], value: Any = 0) -> Expr:
    """The channels-last input, padded where TensorFlow's own padding does not fit."""
    return x if own_padding(node, window) is not None else padded_by_hand(c, node, x, window, value)


def padded_by_hand(c: Context, node: Node, x: Expr, window: Sequence[int], value: Any = 0) -> Expr:
    """The channels-last input with all the padding that the node has."""
    pads = static_pads(node, window)
    if pads is not None:
        extra = {} if value == 0 else {"constant_values": lift(value)}
        return TF.pad(x, lift([[0, 0], *([int(a), int(b)] for a, b in pads), [0, 0]]), **extra)
    settings = {"lower": lift(True)} if node.attrs["padding"] == "same_lower" else {}
    if value != 0:
        settings["value"] = lift(value)
    strides, dilations = node.attrs["strides"], dilations_of(node, window)
    return c.helper("pad_same")(x, lift(tuple(window)), lift(tuple(strides)), lift(dilations), **settings)


def last(node: Node, x: Expr) -> Expr:
    """The input with its channels on the last axis."""
    rank = node.operand("x").type.rank
    return x if is_last(node) else TF.transpose(x, lift([0, *range(2, rank), 1]))


def back(node: Node, y: Expr) -> Expr:
    """The output in the node's own channel order."""
    rank = node.operand("x").type.rank
    return y if is_last(node) else TF.transpose(y, lift([0, rank - 1, *range(1, rank - 1)]))


def is_last(node: Node) -> bool:
    """Whether the channels lie on the last axis already."""
    return bool(node.attrs["layout"] == "channels_last") or node.operand("x").type.rank == 2


def last_dims(node: Node, value: Value) -> tuple[Dim, ...]:
    """The shape of a value of the node's layout with its channels last."""
    shape = value.type.shape
    return shape if node.attrs["layout"] == "channels_last" else (shape[0], *shape[2:], shape[1])


__all__ = ["back", "dilations_of", "is_last", "last", "last_dims", "own_padding", "padded", "padded_by_hand"]
