"""Matrix products."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from ir.core import Value
from ir.types import TensorType, same


@rule("MatMul", 1, 9, 13)
def matmul(c: OnnxContext) -> Value:
    return c.b.matmul(c.x(0), c.x(1))


@rule("Gemm", 7, 9, 11, 13)
def gemm(c: OnnxContext) -> Value:
    return product(c)


def product(c: OnnxContext, exact: TensorType | None = None) -> Value:
    """alpha * A' @ B' + beta * C. `A @ B.T + C` with a vector C is a linear layer whose weight keeps its shape.

    `exact` is the type of a C that must not be broadcast.
    """
    a, b, shift = c.x(0), c.x(1), c.opt(2)
    alpha, beta, trans_a, trans_b = (c.attr(n) for n in ("alpha", "beta", "transA", "transB"))
    if a.type.rank != 2 or b.type.rank != 2:
        c.refuse(f"its operands must be matrices, got {a.type} and {b.type}")
    if beta == 0:
        shift = None
    vector = shift is None or (shift.type.rank == 1 and shift.type.shape[0] == b.type.shape[0] and beta == 1)
    if exact is None and trans_b and alpha == 1 and vector and a.type.dtype.is_float:
        return c.b.linear(c.b.transpose(a, perm=(1, 0)) if trans_a else a, b, shift)
    left = c.b.transpose(a, perm=(1, 0)) if trans_a else a
    right = c.b.transpose(b, perm=(1, 0)) if trans_b else b
    out = _scaled(c, c.b.matmul(left, right), alpha)
    if shift is None:
        return out
    if exact is not None and (exact.rank != 2 or any(same(a, b) is not True for a, b in zip(exact.shape, out.type.shape))):
        c.refuse(f"C {exact} without broadcast=1 must have the shape of {out.type}")
    if shift.type.rank > 2:
        c.refuse(f"C must broadcast to a matrix, got {shift.type}")
    return c.b.add(out, _scaled(c, shift, beta))


def _scaled(c: OnnxContext, x: Value, factor: float) -> Value:
    if factor == 1:
        return x
    if x.type.dtype.is_integer:
        if not float(factor).is_integer():
            c.refuse(f"how integers times {factor} are rounded is not stated")
        return c.b.mul(x, int(factor))
    return c.b.mul(x, factor)


@rule("Einsum", 12, 28)
def einsum(c: OnnxContext) -> Value:
    return c.b.einsum(c.xs(), equation=c.attr("equation").replace(" ", ""))
