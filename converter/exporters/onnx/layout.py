"""Spatial ops in ONNX's layout: channels first. Others are wrapped in transposes."""

from __future__ import annotations

from typing import Any

from ir.core import Builder, Node, Value


def to_first(rank: int) -> tuple[int, ...]:
    """The permutation from channels last to channels first."""
    return (0, rank - 1, *range(1, rank - 1))


def to_last(rank: int) -> tuple[int, ...]:
    """The permutation from channels first to channels last."""
    return (0, *range(2, rank), 1)


def channels_first(b: Builder, node: Node, operand: str = "x") -> Any:
    """The node with layout channels_last as transposes around one with channels_first; None when it is that already."""
    if node.attrs["layout"] == "channels_first":
        return None
    x = node.operand(operand)
    operands = {**node.operands, operand: b.transpose(x, perm=to_first(x.type.rank))}
    out: Value = b.op(node.op, **operands, **{**node.attrs, "layout": "channels_first"})
    return b.transpose(out, perm=to_last(out.type.rank))
