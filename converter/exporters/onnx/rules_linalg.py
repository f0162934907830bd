"""Matrix products, the linear layer and Einstein sums."""

from __future__ import annotations

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import rule
from ir.core import Node
from ir.types import Dim


@rule("matmul")
def matmul(c: Context, node: Node) -> Tensor:
    return c.op("MatMul", c.x(node, "x"), c.x(node, "y"))


@rule("linear")
def linear(c: Context, node: Node) -> Tensor:
    """Gemm for a matrix, which reads the weight as it lies; else MatMul with the weight transposed in the graph."""
    x, weight, bias = c.x(node, "x"), c.x(node, "weight"), c.maybe(node, "bias")
    if node.operand("x").type.rank == 2:
        return c.op("Gemm", x, weight, bias, transB=1)
    out = c.op("MatMul", x, c.op("Transpose", weight, perm=[1, 0]))
    return out if bias is None else c.op("Add", out, bias)


def plain_einsum(node: Node) -> str | None:
    """ONNX Runtime's Einsum neither stretches sizes of 1 nor takes diagonals or an ellipsis as NumPy does."""
    equation, xs = node.attrs["equation"].replace(" ", ""), node.inputs
    terms = equation.split("->")[0].split(",")
    if "." in equation or "->" not in equation or any(len(set(t)) != len(t) for t in terms):
        return "its equation is not one ONNX Runtime takes as NumPy does"
    sizes: dict[str, Dim] = {}
    for term, x in zip(terms, xs):
        for letter, size in zip(term, x.type.shape):
            if sizes.setdefault(letter, size) != size or size == 0:
                return "its sizes stretch or are 0"
    return None


@rule("einsum", accepts=plain_einsum)
def einsum(c: Context, node: Node) -> Tensor:
    return c.op("Einsum", *c.inputs(node), equation=node.attrs["equation"])
