"""Positions of extremes, running totals, sorting."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.torch.context import TORCH, Context
from converter.exporters.torch.table import rule
from ir.core import Node


@rule("argmax", "argmin")
def position(c: Context, node: Node) -> Expr:
    a, value = node.attrs, node.operand("x")
    x = c.x(value)
    keep = {"keepdim": hole(a["keepdims"], "keepdim", False)}
    axis = a["axis"]
    if value.type.shape[axis] == 0:  # torch refuses to look for nothing in nothing
        return x.new_zeros(*c.shape(node.output.type.shape), dtype=c.dtype(node.output.type.dtype))
    if not a["select_last"]:
        return getattr(x, node.op.name)(hole(axis, "dim"), **keep)
    last = c.dim(value.type.shape[axis] - 1, "last")
    return last - getattr(x.flip(lift(axis)), node.op.name)(lift(axis), **keep)


def _plain(node: Node) -> str | None:
    a = node.attrs
    return "torch's running totals are inclusive and forward" if a["exclusive"] or a["reverse"] else None


@rule("cumsum", "cumprod", accepts=_plain)
def running(c: Context, node: Node) -> Expr:
    dtype = node.operand("x").type.dtype
    extra = {"dtype": c.dtype(dtype)} if dtype.is_integer and dtype.name != "int64" else {}
    return getattr(c.x(node.operand("x")), node.op.name)(hole(node.attrs["axis"], "dim"), **extra)


@rule("sort")
def sort(c: Context, node: Node) -> tuple[Expr | None, ...]:
    a = node.attrs
    settings = {"dim": hole(a["axis"], "dim", -1), "descending": hole(a["descending"], "descending", False)}
    result = c.x(node.operand("x")).sort(**settings, stable=lift(True))
    return c.unpack(result, [bool(v.uses) for v in node.outputs], "sorted")


@rule("top_k")
def top_k(c: Context, node: Node) -> tuple[Expr | None, ...]:
    """By a stable sort: torch.topk leaves the order of equal elements open."""
    a, value = node.attrs, node.operand("x")
    axis = a["axis"] % value.type.rank
    result = c.helper("top_k")(
        c.x(value), c.dim(a["k"], "k"), hole(axis, "dim"), largest=hole(a["largest"], "largest", True)
    )
    return c.unpack(result, [bool(v.uses) for v in node.outputs], "top")


def _counted(node: Node) -> str | None:
    return "torch.histc has no half floats" if node.output.type.dtype.is_half else None


@rule("histogram", accepts=_counted)
def histogram(c: Context, node: Node) -> Expr:
    a = node.attrs
    return TORCH.histc(c.x(node.operand("x")), bins=lift(a["bins"]), min=lift(a["low"]), max=lift(a["high"]))
