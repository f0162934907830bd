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
    if x.type.dtype.name == "float64":  # on PyTorch, Keras makes products of float32 of it
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
    if node.output.type.dtype.name == "float64":
        product: Expr = OPS.einsum(lift("...i,oi->...o"), c.x(node.operand("x")), c.x(node.operand("weight")))
    else:
        product = OPS.matmul(c.x(node.operand("x")), OPS.transpose(c.x(node.operand("weight"))))
    bias = c.operand(node, "bias")
    return product if bias is None else product + bias


@rule("matmul")
def matmul(c: Context, node: Node) -> Expr:
    """Products of integers element by element: backends make floats or 32 bits of them; of doubles PyTorch's makes floats."""
    x, y = (v.type for v in node.inputs)
    if x.dtype.name == "float64" and min(x.rank, y.rank) > 1 and x.shape[:-2] == y.shape[:-2]:
        return OPS.einsum(lift("...ij,...jk->...ik"), c.x(node.operand("x")), c.x(node.operand("y")))
    if not x.dtype.is_float or x.dtype.name == "float64":
        ranks = [v.type.rank for v in node.inputs]
        return c.helper("integer_matmul")(*(c.x(v) for v in node.inputs)) if min(ranks) > 1 else _vectors(c, node)
    if node.output.type.dtype.name == "float64" and min(v.type.rank for v in node.inputs) > 1:
        return c.helper("wide_matmul")(*(c.x(v) for v in node.inputs))  # on PyTorch, ops.matmul makes float32 of it
    return OPS.matmul(c.x(node.operand("x")), c.x(node.operand("y")))


def _vectors(c: Context, node: Node) -> Expr:
    """A product of integers with a vector in it."""
    x, y = (c.x(v) for v in node.inputs)
    first, second = (v.type.rank == 1 for v in node.inputs)
    x = OPS.expand_dims(x, axis=0) if first else x
    y = OPS.expand_dims(y, axis=-1) if second else y
    product = c.helper("integer_matmul")(x, y)
    gone = tuple(a for a, vector in ((-2, first), (-1, second)) if vector)
    return OPS.squeeze(product, axis=lift(gone if len(gone) > 1 else gone[0]))


def _plain_equation(node: Node) -> str | None:
    """TensorFlow's einsum neither broadcasts an axis nor sums over an ellipsis."""
    if not node.output.type.dtype.is_float:
        return "Keras' einsum makes floats of integers"
    left, _, right = node.attrs["equation"].replace(" ", "").partition("->")
    if "..." in left and (not right or "..." not in right):
        return "Keras' backends differ in sums over an ellipsis"
    if "..." in left and any(v.type.rank != node.operands["xs"][0].type.rank for v in node.operands["xs"]):
        return "Keras' backends differ in ellipses of different lengths"
    sizes: dict[str, set] = {}
    for term, v in zip(left.split(","), node.operands["xs"], strict=True):
        for letter, size in zip(term.replace("...", "."), v.type.shape) if "..." not in term else ():
            sizes.setdefault(letter, set()).add(size)
    return "Keras' backends differ in axes that broadcast" if any(len(s) > 1 for s in sizes.values()) else None


@rule("einsum", accepts=_plain_equation)
def einsum(c: Context, node: Node) -> Expr:
    return OPS.einsum(lift(node.attrs["equation"]), *(c.x(v) for v in node.operands["xs"]))
