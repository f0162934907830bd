"""Matrix products."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Name, hole, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.settings import layer_dtype, static_shape
from converter.exporters.keras.table import form, rule
from converter.exporters.outline.instances import Form
from ir.core import Node
from ir.data.weights import role_permutation

_KERNEL = "I O"


@form("linear")
def dense(node: Node) -> Form | None:
    """`layers.Dense`."""
    weight, bias, x = node.operands["weight"], node.operands["bias"], node.operand("x")
    if not weight.is_weight or (bias is not None and not bias.is_weight) or x.type.rank < 2:
        return None
    ctor = Name("layers.Dense")(
        hole(int(weight.type.shape[0]), "units"),
        use_bias=hole(bias is not None, "use_bias", True),
        **layer_dtype(weight),
    )
    weights = {"kernel": weight} if bias is None else {"kernel": weight, "bias": bias}
    return Form(ctor, weights, axes={"kernel": role_permutation("O I", _KERNEL, 2)}, shape=static_shape(x))


@rule("linear")
def linear(c: Context, node: Node) -> Expr:
    product = OPS.matmul(c.x(node.operand("x")), OPS.transpose(c.x(node.operand("weight"))))
    bias = c.operand(node, "bias")
    return product if bias is None else product + bias


@rule("matmul")
def matmul(c: Context, node: Node) -> Expr:
    return OPS.matmul(c.x(node.operand("x")), c.x(node.operand("y")))


@rule("einsum")
def einsum(c: Context, node: Node) -> Expr:
    return OPS.einsum(lift(node.attrs["equation"]), *(c.x(v) for v in node.operands["xs"]))
