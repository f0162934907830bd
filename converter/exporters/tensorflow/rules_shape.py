"""Shape and movement."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Name, hole, lift
from converter.exporters.outline.instances import Form
from converter.exporters.outline.operands import shape_argument
from converter.exporters.tensorflow.context import TF, Context
from converter.exporters.tensorflow.table import form, rule
from ir.core import Node
from ir.types import normalize_axes


@form("identity")
def identity_form(node: Node) -> Form | None:
    """`tf.identity`, where the source has a module that does nothing."""
    return Form(Name("tf.identity"))


@rule("identity")
def identity(c: Context, node: Node) -> Expr:
    return c.x(node.operand("x"))


@rule("reshape", "flatten")
def reshape(c: Context, node: Node) -> Expr:
    return TF.reshape(c.x(node.operand("x")), shape_argument(c, node.output.type.shape))


@rule("squeeze")
def squeeze(c: Context, node: Node) -> Expr:
    axes, x = node.attrs["axes"], c.x(node.operand("x"))
    return TF.squeeze(x, axis=hole(axes[0] if len(axes) == 1 else tuple(axes), "axis")) if axes else x


@rule("unsqueeze")
def unsqueeze(c: Context, node: Node) -> Expr:
    x = c.x(node.operand("x"))
    for axis in sorted(normalize_axes(node.attrs["axes"], node.output.type.rank)):
        x = TF.expand_dims(x, hole(axis, "axis"))
    return x


@rule("transpose")
def transpose(c: Context, node: Node) -> Expr:
    x, perm = c.x(node.operand("x")), normalize_axes(node.attrs["perm"], node.operand("x").type.rank)
    if perm == tuple(range(len(perm))):
        return x
    return TF.transpose(x) if perm == (1, 0) else TF.transpose(x, lift(tuple(perm)))


@rule("expand")
def expand(c: Context, node: Node) -> Expr:
    return TF.broadcast_to(c.x(node.operand("x")), lift(tuple(c.shape(node.attrs["shape"]))))


@rule("concat")
def concat(c: Context, node: Node) -> Expr:
    return TF.concat([c.x(v) for v in node.operands["xs"]], axis=hole(node.attrs["axis"], "axis"))


@rule("stack")
def stack(c: Context, node: Node) -> Expr:
    return TF.stack([c.x(v) for v in node.operands["xs"]], axis=hole(node.attrs["axis"], "axis", 0))


@rule("split")
def split(c: Context, node: Node) -> tuple[Expr | None, ...]:
    sizes = [c.dim(n) for n in node.attrs["sizes"]]
    parts = TF.split(c.x(node.operand("x")), lift(sizes), axis=hole(node.attrs["axis"], "axis", 0))
    return c.unpack(parts, [bool(v.uses) for v in node.outputs], "part")


@rule("flip")
def flip(c: Context, node: Node) -> Expr:
    axes, x = node.attrs["axes"], c.x(node.operand("x"))
    return TF.reverse(x, axis=lift([*axes])) if axes else x


@rule("roll")
def roll(c: Context, node: Node) -> Expr:
    a, x = node.attrs, c.x(node.operand("x"))
    shifts = [c.dim(n) for n in a["shifts"]]
    return TF.roll(x, lift(shifts), axis=lift([*a["axes"]])) if a["axes"] else x


@rule("tile")
def tile(c: Context, node: Node) -> Expr:
    return TF.tile(c.x(node.operand("x")), lift(tuple(c.shape(node.attrs["repeats"]))))
