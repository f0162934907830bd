"""Shape and movement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.exporters.code.expr import Expr, Lit, Name, hole, lift
from converter.exporters.outline.instances import Form
from converter.exporters.torch.context import TORCH, Context, F
from converter.exporters.torch.table import form, rule
from ir.core import Node
from ir.types import Dim, DimExpr, normalize_axes, numel


@form("identity")
def identity_module(node: Node) -> Form | None:
    """`nn.Identity`, where the source has a module that does nothing."""
    return Form(Name("nn.Identity")())


@rule("identity")
def identity(c: Context, node: Node) -> Expr:
    return c.x(node.operand("x"))


@rule("flatten")
def flatten(c: Context, node: Node) -> Expr:
    a, x = node.attrs, c.x(node.operand("x"))
    rank = node.operand("x").type.rank
    if rank == 0:
        return x.reshape(1)
    return x.flatten(
        hole(a["start"], "start_dim"), *([] if a["end"] in (-1, rank - 1) else [hole(a["end"], "end_dim")])
    )


@rule("reshape")
def reshape(c: Context, node: Node) -> Expr:
    shape = node.attrs["shape"]
    merged = _merged_axes(node.operand("x").type.shape, shape)
    if merged is not None:
        first, last = merged
        rank = node.operand("x").type.rank
        return c.x(node.operand("x")).flatten(lift(first), *([] if last == rank - 1 else [lift(last)]))
    split = _split_axis(node.operand("x").type.shape, shape)
    if split is not None:
        axis, sizes = split
        return c.x(node.operand("x")).unflatten(lift(axis), tuple(c.dim(d, f"dim{i}") for i, d in enumerate(sizes)))
    return c.x(node.operand("x")).reshape(*_shape_arguments(c, node, shape))


def _merged_axes(old: Sequence[Dim], new: Sequence[Dim]) -> tuple[int, int] | None:
    """(first, last) where the reshape merges consecutive axes into one and leaves the others."""
    count = len(old) - len(new) + 1
    if count < 2 or not new:
        return None
    for first in range(len(new)):
        same = tuple(old[:first]) == tuple(new[:first]) and tuple(old[first + count :]) == tuple(new[first + 1 :])
        if same and numel(old[first : first + count]) == new[first]:
            return first, first + count - 1
    return None


def _split_axis(old: Sequence[Dim], new: Sequence[Dim]) -> tuple[int, tuple[int, ...]] | None:
    """(axis, sizes) where the reshape splits one axis of known size and leaves the others, some of them symbolic."""
    count = len(new) - len(old) + 1
    if count < 2 or not any(isinstance(d, DimExpr) for d in new):
        return None
    for axis in range(len(old)):
        sizes = tuple(new[axis : axis + count])
        same = tuple(old[:axis]) == tuple(new[:axis]) and tuple(old[axis + 1 :]) == tuple(new[axis + count :])
        if same and isinstance(old[axis], int) and all(isinstance(d, int) for d in sizes) and numel(sizes) == old[axis]:
            return (axis if axis + 1 < len(old) else -1), sizes  # type: ignore[return-value]
    return None


def _shape_arguments(c: Context, node: Node, shape: tuple[Dim, ...]) -> list[Expr]:
    """The dims; one that is a compound expression prints as -1 where that is exact: no other dim can be zero."""
    symbolic = [i for i, d in enumerate(shape) if isinstance(d, DimExpr)]
    if len(symbolic) == 1 and all(d != 0 for d in shape):
        return [Lit(-1) if i in symbolic else c.dim(d, f"dim{i}") for i, d in enumerate(shape)]
    return [c.dim(d, f"dim{i}") for i, d in enumerate(shape)] or [lift(())]


@rule("squeeze")
def squeeze(c: Context, node: Node) -> Expr:
    axes = node.attrs["axes"]
    return c.x(node.operand("x")).squeeze(hole(axes[0] if len(axes) == 1 else axes, "dim"))


@rule("unsqueeze")
def unsqueeze(c: Context, node: Node) -> Expr:
    x = c.x(node.operand("x"))
    axes = node.attrs["axes"]
    if not axes:
        return x
    if len(axes) == 1:
        return x.unsqueeze(hole(axes[0], "dim"))
    where = set(normalize_axes(axes, node.output.type.rank))
    last = max(where)
    return x[tuple(Lit(None) if i in where else slice(None) for i in range(last + 1))]


@rule("transpose")
def transpose(c: Context, node: Node) -> Expr:
    perm = node.attrs["perm"]
    moved = [i for i, p in enumerate(perm) if i != p]
    x = c.x(node.operand("x"))
    if len(moved) == 2:
        return x.transpose(hole(moved[0], "dim0"), hole(moved[1], "dim1"))
    return x.permute(*perm) if moved else x


@rule("expand")
def expand(c: Context, node: Node) -> Expr:
    return c.x(node.operand("x")).expand(*c.shape(node.attrs["shape"]))


@rule("concat")
def concat(c: Context, node: Node) -> Expr:
    axis = hole(node.attrs["axis"], "dim", 0)
    return TORCH.cat([c.x(v) for v in node.operands["xs"]], dim=axis)


@rule("stack")
def stack(c: Context, node: Node) -> Expr:
    return TORCH.stack([c.x(v) for v in node.operands["xs"]], dim=hole(node.attrs["axis"], "dim", 0))


@rule("split")
def split(c: Context, node: Node) -> tuple[Expr | None, ...]:
    sizes, axis = node.attrs["sizes"], hole(node.attrs["axis"], "dim", 0)
    x = c.x(node.operand("x"))
    if len(sizes) == 1:
        return (x,)
    even = len(set(sizes)) == 1 and all(isinstance(d, int) and d > 0 for d in sizes)
    pieces = (
        x.chunk(hole(len(sizes), "chunks"), dim=axis)
        if even
        else x.split(lift([c.dim(d, "size") for d in sizes]), dim=axis)
    )
    return c.unpack(pieces, [bool(v.uses) for v in node.outputs])


@rule("tile")
def tile(c: Context, node: Node) -> Expr:
    return c.x(node.operand("x")).repeat(*(c.shape(node.attrs["repeats"]) or [lift(())]))


@rule("flip")
def flip(c: Context, node: Node) -> Expr:
    return c.x(node.operand("x")).flip(lift(node.attrs["axes"]))


@rule("roll")
def roll(c: Context, node: Node) -> Expr:
    if not node.attrs["axes"]:
        return c.x(node.operand("x"))
    shifts = tuple(c.dim(d, "shift") for d in node.attrs["shifts"])
    return c.x(node.operand("x")).roll(lift(shifts), lift(node.attrs["axes"]))


@rule("pad")
def pad(c: Context, node: Node) -> Expr:
    a, x = node.attrs, c.x(node.operand("x"))
    pads = a["pads"]
    if a["mode"] != "constant":
        return c.helper("pad_by_index")(x, lift([(c.dim(p[0]), c.dim(p[1])) for p in pads]), mode=lift(a["mode"]))
    while pads and pads[0] == (0, 0):  # F.pad counts from the last axis
        pads = pads[1:]
    widths: tuple[Any, ...] = tuple(c.dim(p, "pad") for pair in reversed(pads) for p in pair)
    value = {"value": hole(a["value"], "value", 0)}
    return F.pad(x, lift(widths), **value) if widths else x


@rule("tril", "triu")
def triangle(c: Context, node: Node) -> Expr:
    k = node.attrs["k"]
    return getattr(c.x(node.operand("x")), node.op.name)(*([] if k == 0 else [c.dim(k, "diagonal")]))


@rule("diagonal")
def diagonal(c: Context, node: Node) -> Expr:
    a = node.attrs
    return c.x(node.operand("x")).diagonal(
        hole(a["offset"], "offset"), hole(a["axis1"], "dim1"), hole(a["axis2"], "dim2")
    )


@rule("unfold")
def unfold(c: Context, node: Node) -> Expr:
    a = node.attrs
    return c.x(node.operand("x")).unfold(hole(a["axis"], "dimension"), hole(a["size"], "size"), hole(a["step"], "step"))
