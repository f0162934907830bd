"""Slices, as Python's subscripts, and blocks at run-time positions."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, Index, Slice, lift
from converter.exporters.tensorflow.context import Context
from converter.exporters.tensorflow.indices import tell_write
from converter.exporters.tensorflow.table import rule
from ir.core import Node
from ir.types import normalize_axes


@rule("slice")
def slice_(c: Context, node: Node) -> Expr:
    a, x = node.attrs, c.x(node.operand("x"))
    rank = node.operand("x").type.rank
    parts: list[Slice] = [Slice()] * (max(normalize_axes(a["axes"], rank), default=-1) + 1)
    for axis, start, stop, step in zip(normalize_axes(a["axes"], rank), a["starts"], a["stops"], a["steps"]):
        start = None if start == 0 and step > 0 else start
        first, end = (None if v is None else c.dim(v, hint) for v, hint in ((start, "start"), (stop, "stop")))
        parts[axis] = Slice(first, end, None if step == 1 else lift(step))
    if all(p == Slice() for p in parts):
        return x
    return Index(x, _shorten(parts, rank))


def _shorten(parts: list[Slice], rank: int) -> tuple[Any, ...]:
    """`x[..., :n]` where only the last of many axes is sliced."""
    if len(parts) == rank and rank >= 3 and all(p == Slice() for p in parts[:-1]):
        return (lift(Ellipsis), parts[-1])
    return tuple(parts)


@rule("select")
def select(c: Context, node: Node) -> Expr:
    x, axis = node.operand("x"), node.attrs["axis"] % node.operand("x").type.rank
    index = c.dim(node.attrs["index"], "index")
    if axis == x.type.rank - 1 and axis > 1:
        return Index(c.x(x), (lift(Ellipsis), index))
    return Index(c.x(x), (*(Slice() for _ in range(axis)), index))


def _block(c: Context, node: Node) -> dict[str, Expr]:
    tell_write(c, node)
    found = {"bounds": lift("clip")} if node.attrs["bounds"] == "clip" else {}
    return found | ({"from_end": lift(True)} if node.attrs["neg"] == "from_end" else {})


@rule("dynamic_slice")
def dynamic_slice(c: Context, node: Node) -> Expr:
    starts = [c.x(v) for v in node.operands["starts"]]
    sizes = [c.dim(d, "size") for d in node.attrs["sizes"]]
    x = c.x(node.operand("x"))
    return c.helper("take_block")(x, lift(starts), lift(sizes), **_block(c, node)) if starts else x


@rule("dynamic_update_slice")
def dynamic_update_slice(c: Context, node: Node) -> Expr:
    starts = [c.x(v) for v in node.operands["starts"]]
    x, update = c.x(node.operand("x")), c.x(node.operand("update"))
    return c.helper("write_block")(x, update, lift(starts), **_block(c, node)) if starts else update
