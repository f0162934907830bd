"""Shape and movement."""

from __future__ import annotations

from converter.exporters.code.expr import Attr, Expr, Name, hole, lift
from converter.exporters.keras.context import OPS, Context, bare
from converter.exporters.keras.table import form, rule
from converter.exporters.outline.instances import Form
from converter.exporters.outline.operands import shape_argument
from ir.core import Node, Value


@form("identity")
def identity_layer(node: Node) -> Form | None:
    """`layers.Identity`, where the source has a module that does nothing."""
    return Form(Name("layers.Identity")())


@rule("identity")
def identity(c: Context, node: Node) -> Expr:
    return c.x(node.operand("x"))


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
    return OPS.stack([_own(c, v) for v in node.operands["xs"]], axis=hole(node.attrs["axis"], "axis", 0))


def _own(c: Context, value: Value) -> Expr:
    """A tensor of the backend's own: in a list, TensorFlow does not take Keras' variables for tensors."""
    x = c.x(value)
    if not value.is_weight:
        return x
    return OPS.copy(x) if bare(x) is x else Attr(bare(x), "value")


@rule("flip")
def flip(c: Context, node: Node) -> Expr:
    axes, x = node.attrs["axes"], c.x(node.operand("x"))
    return OPS.flip(x, axis=lift(tuple(axes))) if axes else x


@rule("tile")
def tile(c: Context, node: Node) -> Expr:
    return OPS.tile(c.x(node.operand("x")), lift(tuple(c.shape(node.attrs["repeats"]))))
