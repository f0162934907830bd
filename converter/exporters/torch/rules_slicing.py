"""Slices and blocks."""

from __future__ import annotations

from typing import Any

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Index, Slice, lift
from converter.exporters.torch.context import Context
from converter.exporters.torch.table import rule
from ir.core import Node
from ir.types import Dim, normalize_axes


def _bound(c: Context, value: Dim | None, hint: str) -> Expr | None:
    return None if value is None else c.dim(value, hint)


def _index(c: Context, node: Node) -> list[Slice]:
    """Forward slices for every axis up to the last one sliced."""
    a = node.attrs
    axes = normalize_axes(a["axes"], node.operand("x").type.rank)
    parts: list[Slice] = [Slice()] * (max(axes) + 1)
    for axis, start, stop, step in zip(axes, a["starts"], a["stops"], a["steps"]):
        start = None if start == 0 and step > 0 else start
        parts[axis] = Slice(_bound(c, start, "start"), _bound(c, stop, "stop"), lift(step) if step != 1 else None)
    return parts


def _shorten(parts: list[Slice], rank: int) -> tuple[Any, ...]:
    """`x[..., :n]` where only the last of many axes is sliced."""
    if len(parts) == rank and rank >= 3 and all(p == Slice() for p in parts[:-1]):
        return (Ellipsis, parts[-1])
    return tuple(parts)


@rule("slice")
def slice_(c: Context, node: Node) -> Expr:
    x = node.operand("x")
    if not node.attrs["axes"]:
        return c.x(x)
    if all(step > 0 for step in node.attrs["steps"]):
        return c.x(x)[_shorten(_index(c, node), x.type.rank)]
    parts = [_python_slice(p) for p in _index(c, node)]
    return c.helper("slice_any")(c.x(x), *parts)


def _python_slice(part: Slice) -> Expr:
    from converter.exporters.code.expr import Name

    return Name("slice")(*(lift(p) for p in (part.start, part.stop, part.step)))


@rule("slice_update", accepts=lambda n: "torch writes forward slices" if any(s < 0 for s in n.attrs["steps"]) else None)
def slice_update(c: Context, node: Node) -> Expr:
    x, update = node.operand("x"), c.x(node.operand("update"))
    a = node.attrs
    if not a["axes"]:
        return update
    if len(a["axes"]) == 1 and not node.output.type.dtype.is_complex:  # torch's function has no complex gradient
        bounds = {"start": _bound(c, a["starts"][0], "start"), "end": _bound(c, a["stops"][0], "stop")}
        given: dict[str, Any] = {k: v for k, v in bounds.items() if v is not None}
        step = {} if a["steps"][0] == 1 else {"step": lift(a["steps"][0])}
        return c.x(x).slice_scatter(update, lift(a["axes"][0]), **given, **step)
    return _write(c, c.x(x), tuple(_index(c, node)), update)


def _write(c: Context, x: Expr, index: tuple[Any, ...], update: Expr) -> Expr:
    """`y = x.clone(); y[index] = update`."""
    copy = c.assign(x.clone(), "updated")
    c.body.append(s.Assign(copy[index], update))
    return copy


@rule("select")
def select(c: Context, node: Node) -> Expr:
    x, axis = node.operand("x"), node.attrs["axis"] % node.operand("x").type.rank
    index = c.dim(node.attrs["index"], "index")
    if axis == x.type.rank - 1 and axis > 1:
        return c.x(x)[Ellipsis, index]
    return Index(c.x(x), (*(Slice() for _ in range(axis)), index))


@rule("select_update")
def select_update(c: Context, node: Node) -> Expr:
    a, x, update = node.attrs, c.x(node.operand("x")), c.x(node.operand("update"))
    index = c.dim(a["index"], "index")
    if node.output.type.dtype.is_complex:  # torch's function has no complex gradient
        return _write(c, x, (*(Slice(),) * (a["axis"] % node.output.type.rank), index), update)
    return x.select_scatter(update, lift(a["axis"]), index)


def _block(node: Node) -> dict[str, Expr]:
    return {"clip": lift(node.attrs["bounds"] == "clip"), "from_end": lift(node.attrs["neg"] == "from_end")}


@rule("dynamic_slice")
def dynamic_slice(c: Context, node: Node) -> Expr:
    a = node.attrs
    starts = [c.x(v) for v in node.operands["starts"]]
    sizes = [c.dim(d, "size") for d in a["sizes"]]
    return c.helper("take_block")(c.x(node.operand("x")), starts, sizes, **_block(node))


@rule("dynamic_update_slice")
def dynamic_update_slice(c: Context, node: Node) -> Expr:
    starts = [c.x(v) for v in node.operands["starts"]]
    update = c.x(node.operand("update"))
    return c.helper("write_block")(c.x(node.operand("x")), update, starts, **_block(node))
