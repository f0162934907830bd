"""Reductions over axes."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.outline.operands import axes_of
from converter.exporters.torch.context import TORCH, Context
from converter.exporters.torch.table import rule
from ir.core import Node
from ir.ops.reduction import reduced_axes
from ir.types import normalize_axes


def _settings(node: Node, axes: tuple[int, ...]) -> tuple[list[Expr], dict[str, Expr]]:
    where: Any = axes[0] if len(axes) == 1 else axes
    keep: dict[str, Expr] = {"keepdim": hole(True, "keepdim")} if node.attrs["keepdims"] else {}
    return [hole(where, "dim")], keep


def _is_noop(node: Node) -> bool:
    return node.attrs["axes"] == ()


def _integer_type(c: Context, node: Node) -> dict[str, Expr]:
    """torch sums integers in int64 unless told otherwise."""
    dtype = node.operand("x").type.dtype
    return {"dtype": c.dtype(dtype)} if dtype.is_integer and dtype.name != "int64" else {}


@rule("reduce_sum", "reduce_mean")
def total(c: Context, node: Node) -> Expr:
    x = c.x(node.operand("x"))
    if _is_noop(node):
        return x
    name = node.op.name.removeprefix("reduce_")
    axes = axes_of(node)
    args, kwargs = ([], {}) if axes is None else _settings(node, axes)
    return getattr(x, name)(*args, **kwargs, **_integer_type(c, node))


@rule("reduce_prod")
def product(c: Context, node: Node) -> Expr:
    x = c.x(node.operand("x"))
    rank = node.operand("x").type.rank
    if _is_noop(node):
        return x
    axes = axes_of(node)
    extra = _integer_type(c, node)
    if axes is None:
        return x.prod(**extra)
    for axis in sorted(normalize_axes(axes, rank), reverse=True):  # torch multiplies along one axis at a time
        x = x.prod(axis, **({"keepdim": lift(True)} if node.attrs["keepdims"] else {}), **extra)
    return x


@rule("reduce_max", "reduce_min")
def extreme(c: Context, node: Node) -> Expr:
    x = c.x(node.operand("x"))
    if _is_noop(node):
        return x
    axes = axes_of(node)
    if node.attrs["ties"] == "first":
        args, kwargs = _settings(node, reduced_axes(node.attrs["axes"], node.operand("x").type.rank))
        return getattr(x, "max" if node.op.name == "reduce_max" else "min")(*args, **kwargs).values
    args, kwargs = ([], {}) if axes is None else _settings(node, axes)
    return getattr(x, "amax" if node.op.name == "reduce_max" else "amin")(*args, **kwargs)


@rule("reduce_any", "reduce_all")
def quantifier(c: Context, node: Node) -> Expr:
    x = c.x(node.operand("x"))
    if _is_noop(node):
        return x
    axes = axes_of(node)
    args, kwargs = ([], {}) if axes is None else _settings(node, axes)
    return getattr(x, node.op.name.removeprefix("reduce_"))(*args, **kwargs)


def _needs_axes(node: Node) -> str | None:
    return "reduces no axis" if _is_noop(node) else None


@rule("reduce_log_sum_exp", accepts=_needs_axes)
def log_sum_exp(c: Context, node: Node) -> Expr:
    axes = axes_of(node)
    if axes is None:
        return c.x(node.operand("x")).logsumexp(lift(tuple(range(node.operand("x").type.rank))))
    args, kwargs = _settings(node, axes)
    return c.x(node.operand("x")).logsumexp(*args, **kwargs)


@rule("reduce_l1", "reduce_l2", accepts=_needs_axes)
def norm(c: Context, node: Node) -> Expr:
    axes = axes_of(node)
    args, kwargs = ([], {}) if axes is None else _settings(node, axes)
    order = {"ord": lift(1)} if node.op.name == "reduce_l1" else {}
    dims = {"dim": args[0]} if args else {}
    return TORCH.linalg.vector_norm(c.x(node.operand("x")), **order, **dims, **kwargs)


@rule("reduce_sum_square")
def sum_square(c: Context, node: Node) -> Expr:
    x, dtype = c.x(node.operand("x")), node.operand("x").type.dtype
    if dtype.is_half:  # one rounding at the end
        x = x.float()
    squares = x.square()
    axes = axes_of(node)
    args, kwargs = ([], {}) if axes is None else _settings(node, axes)
    result = squares if _is_noop(node) else squares.sum(*args, **kwargs)
    return result.to(c.dtype(dtype)) if dtype.is_half else result


@rule("reduce_var", "reduce_std")
def spread(c: Context, node: Node) -> Expr:
    name = node.op.name.removeprefix("reduce_")
    axes = axes_of(node)
    correction = node.attrs["correction"]
    number: Any = int(correction) if float(correction).is_integer() else correction
    if _is_noop(node):
        x = c.name_once(c.x(node.operand("x")))
        one = getattr(x.unsqueeze(-1), name)(-1, correction=lift(number))
        return one
    args, kwargs = ([], {}) if axes is None else _settings(node, axes)
    return getattr(c.x(node.operand("x")), name)(*args, correction=hole(number, "correction", 1), **kwargs)
