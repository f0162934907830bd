"""Shape and movement."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Lit, Name, hole, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import form, rule
from converter.exporters.outline.instances import Form
from ir.core import Node
from ir.types import Dim, DimExpr


@form("identity")
def identity_layer(node: Node) -> Form | None:
    """`layers.Identity`, where the source has a module that does nothing."""
    return Form(Name("layers.Identity")())


@rule("identity")
def identity(c: Context, node: Node) -> Expr:
    return c.x(node.operand("x"))


def shape_argument(c: Context, shape: tuple[Dim, ...]) -> Expr:
    """A shape; one dim that is an expression prints as -1 where that is exact: no other dim can be zero."""
    symbolic = [i for i, d in enumerate(shape) if isinstance(d, DimExpr)]
    if len(symbolic) == 1 and all(d != 0 for d in shape):
        return lift(tuple(Lit(-1) if i in symbolic else c.dim(d, f"dim{i}") for i, d in enumerate(shape)))
    return lift(tuple(c.dim(d, f"dim{i}") for i, d in enumerate(shape)))


@rule("reshape", "flatten")
def reshape(c: Context, node: Node) -> Expr:
    return OPS.reshape(c.x(node.operand("x")), shape_argument(c, node.output.type.shape))


@rule("squeeze")
def squeeze(c: Context, node: Node) -> Expr:
    axes = node.attrs["axes"]
    x = c.x(node.operand("x"))
    return OPS.squeeze(x, axis=hole(axes[0] if len(axes) == 1 else axes, "axis")) if axes else x


@rule("unsqueeze")
def unsqueeze(c: Context, node: Node) -> Expr:
    axes = node.attrs["axes"]
    x = c.x(node.operand("x"))
    return OPS.expand_dims(x, axis=hole(axes[0] if len(axes) == 1 else axes, "axis")) if axes else x


@rule("transpose")
def transpose(c: Context, node: Node) -> Expr:
    perm, x = node.attrs["perm"], c.x(node.operand("x"))
    moved = [i for i, p in enumerate(perm) if i != p]
    if not moved:
        return x
    return OPS.swapaxes(x, *moved) if len(moved) == 2 else OPS.transpose(x, lift(tuple(perm)))


@rule("expand")
def expand(c: Context, node: Node) -> Expr:
    return OPS.broadcast_to(c.x(node.operand("x")), lift(tuple(c.shape(node.attrs["shape"]))))


@rule("concat")
def concat(c: Context, node: Node) -> Expr:
    return OPS.concatenate([c.x(v) for v in node.operands["xs"]], axis=hole(node.attrs["axis"], "axis", 0))


@rule("stack")
def stack(c: Context, node: Node) -> Expr:
    return OPS.stack([c.x(v) for v in node.operands["xs"]], axis=hole(node.attrs["axis"], "axis", 0))


@rule("flip")
def flip(c: Context, node: Node) -> Expr:
    axes, x = node.attrs["axes"], c.x(node.operand("x"))
    return OPS.flip(x, axis=lift(tuple(axes))) if axes else x


@rule("tile")
def tile(c: Context, node: Node) -> Expr:
    return OPS.tile(c.x(node.operand("x")), lift(tuple(c.shape(node.attrs["repeats"]))))
