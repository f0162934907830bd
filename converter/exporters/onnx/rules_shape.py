"""Ops that rearrange, join, cut and repeat elements."""

from __future__ import annotations

from typing import Any

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import rule
from ir.core import Node
from ir.types import Dim, DimExpr, normalize_axes, normalize_axis


@rule("identity")
def identity(c: Context, node: Node) -> Tensor:
    return c.x(node, "x")


@rule("reshape")
def reshape(c: Context, node: Node) -> Tensor:
    source, target = node.operand("x").type.shape, node.output.type.shape
    x = c.x(node, "x")
    codes = reshape_codes(source, target)
    if codes is not None:
        return c.op("Reshape", x, c.ints(codes))
    if c.opset < 14:
        return _reshape_by_sizes_13(c, x, source, target)
    return c.op("Reshape", x, c.dims(target), allowzero=1)


def _reshape_by_sizes_13(c: Context, x: Tensor, source: Any, target: Any) -> Tensor:
    """Before opset 14 a size of 0 always means "copy": sizes are safe only where they cannot be 0."""
    if any(d == 0 for d in target):
        c.needs(14, "Reshape to a size of 0")
    return c.op("Reshape", x, c.dims(target))


def reshape_codes(source: tuple[Dim, ...], target: tuple[Dim, ...]) -> list[int] | None:
    """The target as integers, 0 where an axis is copied and -1 where one is inferred; None where that is not exact.

    -1 divides by the product of the other sizes, so it stands only among positive integers.
    """
    codes: list[int] = []
    for axis, dim in enumerate(target):
        if isinstance(dim, int) and dim > 0:
            codes.append(dim)
        elif axis < len(source) and source[axis] == dim:
            codes.append(0)
        else:
            codes.append(-1)
    if codes.count(-1) > 1 or (-1 in codes and any(k == 0 for k in codes)):
        return None
    inferred = target[codes.index(-1)] if -1 in codes else None
    return None if inferred == 0 else codes


@rule("squeeze")
def squeeze(c: Context, node: Node) -> Tensor:
    x = c.x(node, "x")
    axes = normalize_axes(node.attrs["axes"], node.operand("x").type.rank)
    return c.op("Squeeze", x, c.ints(axes)) if axes else x


@rule("unsqueeze")
def unsqueeze(c: Context, node: Node) -> Tensor:
    x = c.x(node, "x")
    axes = normalize_axes(node.attrs["axes"], node.output.type.rank)
    return c.op("Unsqueeze", x, c.ints(axes)) if axes else x


@rule("transpose")
def transpose(c: Context, node: Node) -> Tensor:
    x = c.x(node, "x")
    perm = normalize_axes(node.attrs["perm"], len(node.attrs["perm"]))
    return c.op("Transpose", x, perm=list(perm)) if perm != tuple(range(len(perm))) else x


@rule("expand")
def expand_(c: Context, node: Node) -> Tensor:
    x, shape = node.operand("x").type.shape, node.output.type.shape
    if x == shape:
        return c.x(node, "x")
    kept = len(shape) - len(x)
    sizes = [1 if i >= kept and x[i - kept] == d else d for i, d in enumerate(shape)]  # 1 keeps what x has
    return c.op("Expand", c.x(node, "x"), c.dims(sizes))


@rule("flatten")
def flatten(c: Context, node: Node) -> Tensor:
    """ONNX's Flatten makes two axes."""
    rank = node.operand("x").type.rank
    if rank and node.output.type.rank == 2 and normalize_axis(node.attrs["end"], rank) == rank - 1 and node.attrs["start"] == 1:
        return c.op("Flatten", c.x(node, "x"), axis=1)
    return reshape(c, node)


@rule("concat")
def concat(c: Context, node: Node) -> Tensor:
    xs = c.inputs(node)
    return c.op("Concat", *xs, axis=normalize_axis(node.attrs["axis"], node.output.type.rank)) if len(xs) > 1 else xs[0]


@rule("split")
def split(c: Context, node: Node) -> tuple[Tensor, ...]:
    x, sizes = c.x(node, "x"), node.attrs["sizes"]
    if len(sizes) == 1:
        return (x,)
    axis = normalize_axis(node.attrs["axis"], node.operand("x").type.rank)
    return c.op("Split", x, c.dims(sizes), outputs=len(sizes), axis=axis)


@rule("tile")
def tile(c: Context, node: Node) -> Tensor:
    x, repeats = c.x(node, "x"), node.attrs["repeats"]
    return c.op("Tile", x, c.dims(repeats)) if repeats else x




def is_symbolic(dims: Any) -> bool:
    """Whether any of the sizes is only known at run time."""
    return any(isinstance(d, DimExpr) for d in dims)
