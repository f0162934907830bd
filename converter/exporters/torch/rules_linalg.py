"""Matrix products."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Name, hole, lift
from converter.exporters.outline.instances import Form
from converter.exporters.torch.context import TORCH, Context, F
from converter.exporters.torch.table import form, rule
from ir.core import Node


@form("linear")
def linear_module(node: Node) -> Form | None:
    """`nn.Linear`."""
    weight, bias = node.operands["weight"], node.operands["bias"]
    if not weight.is_weight or (bias is not None and not bias.is_weight):
        return None
    dtype = weight.type.dtype
    extra = {} if dtype.name == "float32" else {"dtype": Name(f"torch.{dtype.name}")}
    ctor = Name("nn.Linear")(
        hole(int(weight.type.shape[1]), "in_features"),
        hole(int(weight.type.shape[0]), "out_features"),
        bias=hole(bias is not None, "bias", True),
        **extra,
    )
    return Form(ctor, {"weight": weight} if bias is None else {"weight": weight, "bias": bias})


@rule("linear")
def linear(c: Context, node: Node) -> Expr:
    bias = c.operand(node, "bias")
    return F.linear(c.x(node.operand("x")), c.x(node.operand("weight")), *([] if bias is None else [bias]))


@rule("matmul")
def matmul(c: Context, node: Node) -> Expr:
    return c.x(node.operand("x")) @ c.x(node.operand("y"))


@rule("einsum")
def einsum(c: Context, node: Node) -> Expr:
    return TORCH.einsum(lift(node.attrs["equation"]), *(c.x(v) for v in node.operands["xs"]))


@rule("grouped_matmul")
def grouped_matmul(c: Context, node: Node) -> Expr:
    return c.helper("grouped_matmul")(*(c.x(node.operand(n)) for n in ("x", "weight", "ends")))
