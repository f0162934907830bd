"""Matrix products. Integers that have no kernel are multiplied in wider ones, which wraps alike."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Name, lift
from converter.exporters.tensorflow.context import TF, Context
from converter.exporters.tensorflow.table import Axes, order, rule
from ir.core import Node, Value
from ir.types import DType

LINALG = Name("tf.linalg")


def kernel_type(kind: DType) -> str:
    """The element type in which a product is computed."""
    if not kind.is_integer or kind.name in ("int32", "int64"):
        return kind.name
    return "int64" if kind.bits >= 32 else "int32"


@order("linear")
def linear_order(node: Node) -> dict[str, Axes]:
    return {"weight": (1, 0)}


@rule("linear")
def linear(c: Context, node: Node) -> Expr:
    """`tf.matmul(x, self.weight) + self.bias`; a vector is taken as a row."""
    x, weight = c.x(node.operand("x")), c.turned(node.operand("weight"), (1, 0))
    if node.operand("x").type.rank == 1:
        product = LINALG.matvec(weight, x, transpose_a=lift(True))
    elif _sums_nothing(node.operand("x")):
        product = TF.einsum(lift("...i,io->...o"), x, weight)
    else:
        product = TF.matmul(x, weight)
    bias = c.operand(node, "bias")
    return product if bias is None else product + bias


def _sums_nothing(x: Value) -> bool:
    """Whether rows have no elements: then a graph that adds something to `tf.matmul` ends the process."""
    return x.type.shape[-1] == 0


@rule("matmul")
def matmul(c: Context, node: Node) -> Expr:
    kind, (first, second) = node.output.type.dtype, (v.type.rank for v in node.inputs)

    def product(x: Expr, y: Expr) -> Expr:
        if first == 1 and second == 1:
            return TF.tensordot(x, y, lift(1))
        if second == 1:
            return LINALG.matvec(x, y)
        if first > 1 and _sums_nothing(node.inputs[0]):
            return TF.einsum(lift("...ij,...jk->...ik"), x, y)
        return LINALG.matvec(y, x, transpose_a=lift(True)) if first == 1 else TF.matmul(x, y)

    return c.widened(kind, kernel_type(kind), product, *(c.x(v) for v in node.inputs))


def _plain_equation(node: Node) -> str | None:
    """TensorFlow's einsum neither broadcasts an axis nor sums over an ellipsis."""
    left, _, right = node.attrs["equation"].replace(" ", "").partition("->")
    if "..." in left and "..." not in right:
        return "TensorFlow's einsum does not sum over an ellipsis"
    sizes: dict[str, set] = {}
    for term, v in zip(left.split(","), node.operands["xs"], strict=True):
        head, _, tail = term.partition("...")
        shape = v.type.shape
        pairs = [*zip(head, shape), *zip(tail, shape[len(shape) - len(tail) :])]
        for letter, size in pairs:
            sizes.setdefault(letter, set()).add(size)
    return "TensorFlow's einsum does not broadcast" if any(len(s) > 1 for s in sizes.values()) else None


@rule("einsum", accepts=_plain_equation)
def einsum(c: Context, node: Node) -> Expr:
    kind, equation = node.output.type.dtype, lift(node.attrs["equation"])
    return c.widened(
        kind, kernel_type(kind), lambda *xs: TF.einsum(equation, *xs), *(c.x(v) for v in node.operands["xs"])
    )
