"""Elementwise ops of one operand."""

from __future__ import annotations

import math
from typing import Any

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import expand, not_float64, rule
from ir.core import Builder, Node, Value
from ir.types import dtypes

NAMES = {
    "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "reciprocal": "Reciprocal", "sin": "Sin", "cos": "Cos",
    "asin": "Asin", "acos": "Acos", "atan": "Atan", "tanh": "Tanh", "asinh": "Asinh",
    "acosh": "Acosh", "atanh": "Atanh", "erf": "Erf", "abs": "Abs", "floor": "Floor", "ceil": "Ceil", "round": "Round",
}  # fmt: skip


@rule(*NAMES)
def unary(c: Context, node: Node) -> Tensor:
    return c.op(NAMES[node.op.name], c.x(node, "x"))


@rule("tan", accepts=not_float64)
def tan(c: Context, node: Node) -> Tensor:
    return c.op("Tan", c.x(node, "x"))


@rule("sinh", "cosh")
def hyperbolic(c: Context, node: Node) -> Tensor:
    return c.op(
        {"sinh": "Sinh", "cosh": "Cosh"}[node.op.name], c.x(node, "x")
    )  # whole words: kernels are looked up by them


@expand("sinh", "cosh")
def hyperbolic_of_doubles(b: Builder, node: Node, opset: int) -> Any:
    """Without a kernel of float64: by expm1, which keeps small results exact."""
    x = node.operand("x")
    if x.type.dtype != dtypes.float64:
        return None
    if node.op.name == "cosh":
        half = b.exp(b.sub(b.abs(x), math.log(2)))
        return b.add(half, b.mul(b.exp(b.neg(b.abs(x))), 0.5))
    less = b.mul(b.expm1(b.abs(x)), 0.5)
    size = b.add(less, b.mul(b.div(less, b.add(b.mul(less, 2.0), 1.0)), 1.0))
    return b.mul(b.sign(x), b.where(b.isinf(less), less, size))


@rule("neg")
def neg(c: Context, node: Node) -> Tensor:
    x = c.x(node, "x")
    return c.op("Sub", c.like(0, x), x) if x.dtype.kind == "uint" else c.op("Neg", x)


@rule("sign")
def sign(c: Context, node: Node) -> Tensor:
    x = c.x(node, "x")
    out = c.op("Sign", x)
    if not x.dtype.is_float:
        return out
    return c.op("Where", c.op("IsNaN", x), x if node.attrs["nan"] == "propagate" else c.like(0, x), out)


@expand("expm1")
def expm1(b: Builder, node: Node, opset: int) -> Value:
    """tanh(x / 2) * (e**x + 1), which loses nothing near 0."""
    x = node.operand("x")
    return b.mul(b.tanh(b.mul(x, 0.5)), b.add(b.exp(x), 1.0))


@expand("log1p")
def log1p(b: Builder, node: Node, opset: int) -> Value:
    """2 * atanh(x / (x + 2)) near 0, which loses nothing there, and log(1 + x) elsewhere."""
    x = node.operand("x")
    if x.type.dtype == dtypes.float64:  # no kernel of atanh: the rounding error of 1 + x is divided out (Kahan)
        moved = b.add(x, 1.0)
        plain = b.or_(b.equal(moved, 1.0), b.isinf(moved, negative=False))
        return b.where(plain, x, b.mul(b.log(moved), b.div(x, b.sub(moved, 1.0))))
    near = b.mul(b.atanh(b.div(x, b.add(x, 2.0))), 2.0)
    return b.where(b.less(b.abs(x), 0.5), near, b.log(b.add(x, 1.0)))


@expand("log2", "log10")
def log_of_base(b: Builder, node: Node, opset: int) -> Value:
    return b.mul(b.log(node.operand("x")), 1 / math.log(2 if node.op.name == "log2" else 10))


@expand("erfc")
def erfc(b: Builder, node: Node, opset: int) -> Value:
    """1 - erf(x) up to 0.5, and beyond a Chebyshev fit of fractional error below 1.2e-7 (Press et al., Numerical Recipes)."""
    x = node.operand("x")
    if x.type.dtype == dtypes.float64:
        raise NotImplementedError("erfc in float64 has no ONNX form of that precision")
    z = b.abs(x)
    t = b.reciprocal(b.add(b.mul(z, 0.5), 1.0))
    tail: Any = b.mul(t, 0.17087277)
    for coefficient in (
        -0.82215223,
        1.48851587,
        -1.13520398,
        0.27886807,
        -0.18628806,
        0.09678418,
        0.37409196,
        1.00002368,
    ):
        tail = b.mul(t, b.add(tail, coefficient))
    far = b.mul(t, b.exp(b.sub(b.add(tail, -1.26551223), b.mul(z, z))))
    return b.where(b.greater(x, 0.5), far, b.sub(1.0, b.erf(x)))
