"""Slices and blocks."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, Index, Slice, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.rules_indexing import tell
from converter.exporters.keras.table import rule
from ir.core import Node
from ir.ops.slicing import slice_range
from ir.types import Dim, normalize_axes


def _bound(c: Context, value: Dim | None, back: bool, hint: str) -> Expr | None:
    """A bound; of the flipped axis it is ~bound, which counts from the other end."""
    if value is None:
        return None
    if isinstance(value, int):
        return c.dim(~value if back else value, hint)
    return -c.dim(value) - 1 if back else c.dim(value, hint)


@rule("slice")
def slice_(c: Context, node: Node) -> Expr:
    """A negative step reads the flipped axis, since PyTorch has none."""
    a, x = node.attrs, c.x(node.operand("x"))
    rank = node.operand("x").type.rank
    if not a["axes"]:
        return x
    axes = normalize_axes(a["axes"], rank)
    parts: list[Slice] = [Slice()] * (max(axes) + 1)
    for axis, start, stop, step in zip(axes, a["starts"], a["stops"], a["steps"]):
        start = None if start == 0 and step > 0 else start
        back = step < 0
        parts[axis] = Slice(
            _bound(c, start, back, "start"), _bound(c, stop, back, "stop"), None if abs(step) == 1 else lift(abs(step))
        )
    flipped = tuple(sorted(k for k, step in zip(axes, a["steps"]) if step < 0))
    if flipped:
        x = OPS.flip(x, axis=lift(flipped[0] if len(flipped) == 1 else flipped))
    if all(p == Slice() for p in parts):
        return x
    return x[_shorten(parts, rank)]


def _shorten(parts: list[Slice], rank: int) -> tuple[Any, ...]:
    """`x[..., :n]` where only the last of many axes is sliced."""
    if len(parts) == rank and rank >= 3 and all(p == Slice() for p in parts[:-1]):
        return (Ellipsis, parts[-1])
    return tuple(parts)


def _one_block(node: Node) -> str | None:
    """Why Keras' slice_update, which writes one block, does not do."""
    a = node.attrs
    if not a["axes"]:
        return "writes everything"
    if any(step != 1 for step in a["steps"]):
        return "Keras writes blocks, of step 1"
    return None if 0 not in node.operand("update").type.shape else "writes nothing"


@rule("slice_update", accepts=_one_block)
def slice_update(c: Context, node: Node) -> Expr:
    a, x = node.attrs, node.operand("x")
    firsts: list[Dim] = [0] * x.type.rank
    for axis, start, stop in zip(normalize_axes(a["axes"], x.type.rank), a["starts"], a["stops"]):
        firsts[axis] = slice_range(start, stop, 1, x.type.shape[axis])[0]
    return OPS.slice_update(c.x(x), lift(tuple(c.dim(d, "start") for d in firsts)), c.x(node.operand("update")))


@rule("select")
def select(c: Context, node: Node) -> Expr:
    x, axis = node.operand("x"), node.attrs["axis"] % node.operand("x").type.rank
    index = c.dim(node.attrs["index"], "index")
    if axis == x.type.rank - 1 and axis > 1:
        return c.x(x)[Ellipsis, index]
    return Index(c.x(x), (*(Slice() for _ in range(axis)), index))


def _block(c: Context, node: Node) -> dict[str, Expr]:
    tell(c, node)
    found = {"clip": lift(True)} if node.attrs["bounds"] == "clip" else {}
    return found | ({"from_end": lift(True)} if node.attrs["neg"] == "from_end" else {})


@rule("dynamic_slice")
def dynamic_slice(c: Context, node: Node) -> Expr:
    starts = [c.x(v) for v in node.operands["starts"]]
    sizes = [c.dim(d, "size") for d in node.attrs["sizes"]]
    return (
        c.helper("take_block")(c.x(node.operand("x")), starts, sizes, **_block(c, node))
        if starts
        else c.x(node.operand("x"))
    )


@rule("dynamic_update_slice")
def dynamic_update_slice(c: Context, node: Node) -> Expr:
    starts = [c.x(v) for v in node.operands["starts"]]
    update = c.x(node.operand("update"))
    return c.helper("write_block")(c.x(node.operand("x")), update, starts, **_block(c, node)) if starts else update
