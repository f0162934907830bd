"""Elementwise ops of several operands."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Node, Value

NAMES = {"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "trunc_div": "Div"}
NAN_SAFE = {"maximum": "Max", "minimum": "Min"}


@rule(*NAMES)
def binary(c: Context, node: Node) -> Tensor:
    return c.op(NAMES[node.op.name], c.x(node, "x"), c.x(node, "y"))


@rule(*NAN_SAFE)
def extreme(c: Context, node: Node) -> Tensor:
    return c.op(NAN_SAFE[node.op.name], c.x(node, "x"), c.x(node, "y"))


def only_floats(node: Node) -> str | None:
    """Integer powers: ONNX Runtime computes them in floating point."""
    return None if node.operand("x").type.dtype.is_float else "ONNX Runtime computes powers of integers in floating point"


@rule("pow", accepts=only_floats)
def power(c: Context, node: Node) -> Tensor:
    return c.op("Pow", c.x(node, "x"), c.x(node, "y"))


def mod_exists(node: Node) -> str | None:
    """ONNX's Mod without fmod is defined for integers only."""
    return None if node.operand("x").type.dtype.is_integer else "ONNX has no modulo of floats with the divisor's sign"


@rule("mod", accepts=mod_exists)
def mod(c: Context, node: Node) -> Tensor:
    return c.op("Mod", c.x(node, "x"), c.x(node, "y"), fmod=0)


@rule("fmod")
def fmod(c: Context, node: Node) -> Tensor:
    return c.op("Mod", c.x(node, "x"), c.x(node, "y"), fmod=1)


@rule("where")
def where(c: Context, node: Node) -> Tensor:
    return c.op("Where", c.x(node, "condition"), c.x(node, "x"), c.x(node, "y"))


def known(value: Value | None) -> np.ndarray | None:
    """The content of a value that a constant node makes."""
    if value is None or value.producer is None or value.producer.op.name != "constant":
        return None
    return value.producer.attrs["value"].value


def scalar_bounds(node: Node) -> str | None:
    """ONNX's Clip takes scalars; a NaN among them would not propagate."""
    for name in ("min", "max"):
        bound = node.operands[name]
        array = known(bound)
        if bound is not None and (array is None or array.ndim or array != array):
            return "its bounds are not known scalars"
    return None if node.operands["min"] is not None or node.operands["max"] is not None else "it has no bound"


@rule("clip", accepts=scalar_bounds)
def clip(c: Context, node: Node) -> Tensor:
    """An absent bound is the largest finite number in ONNX, which would clip infinities."""
    x = c.x(node, "x")
    low, high = c.maybe(node, "min"), c.maybe(node, "max")
    if node.output.type.dtype.is_float:
        low, high = low or c.like(-np.inf, x), high or c.like(np.inf, x)
    return c.op("Clip", x, low, high)


# -- what ONNX lacks ------------------------------------------------------------------------------------------------
@expand("trunc_div", "mod", "fmod")
def division(b: Builder, node: Node, opset: int) -> Any:
    """The lowest integer divided by -1 overflows and traps the processor: division by -1 is a negation instead."""
    x, y = node.operand("x"), node.operand("y")
    kind = x.type.dtype
    array = known(y)
    if kind.kind != "int" or kind.bits < 32 or (array is not None and not (array == -1).any()):
        return None
    if _guarded(y):
        return None
    minus = b.equal(y, -1)
    safe = b.where(minus, b.constant(1, kind), y)
    if node.op.name == "trunc_div":
        return b.where(minus, b.neg(x), b.trunc_div(x, safe))
    return (b.mod if node.op.name == "mod" else b.fmod)(x, safe)


def _guarded(y: Value) -> bool:
    """Whether `y` is where(equal(z, -1), 1, z), which cannot be -1."""
    made = y.producer
    if made is None or made.op.name != "where":
        return False
    test, one = made.operand("condition").producer, known(made.operand("x"))
    return (
        test is not None and test.op.name == "equal" and test.operand("x") is made.operand("y")
        and known(test.operand("y")) == -1 and one is not None and bool((one == 1).all())
    )  # fmt: skip


@expand("pow")
def integer_power(b: Builder, node: Node, opset: int) -> Any:
    """Integer powers by repeated squaring: products wrap as they must."""
    x, y = node.operand("x"), node.operand("y")
    if x.type.dtype.is_float or x.type.dtype.is_complex:
        return None
    array = known(y)
    top = int(array.max(initial=0)) if array is not None else int(x.type.dtype.max)
    out: Any = None
    square: Any = x
    for bit in range(top.bit_length()):
        if bit:
            square = b.mul(square, square)
        half = b.floor_div(y, 2**bit) if bit else y
        odd = b.equal(b.mod(half, 2), 1)
        factor = b.where(odd, square, b.constant(1, x.type.dtype))
        out = factor if out is None else b.mul(out, factor)
    if out is None:
        out = b.where(b.equal(y, y), b.constant(1, x.type.dtype), x)
    return out


@expand("atan2")
def atan2(b: Builder, node: Node, opset: int) -> Value:
    """By quadrant. A zero counts as negative where its reciprocal is; two infinities stand for their signs."""
    y, x = node.operand("x"), node.operand("y")
    both = b.and_(b.isinf(y), b.isinf(x))
    y, x = (b.where(both, b.sign(v), v) for v in (y, x))
    below = b.less(b.where(b.equal(y, 0.0), b.reciprocal(y), y), 0.0)
    left = b.less(b.where(b.equal(x, 0.0), b.reciprocal(x), x), 0.0)
    slope = b.atan(b.div(y, x))
    turned = b.add(slope, b.where(below, b.constant(-math.pi, y.type.dtype), b.constant(math.pi, y.type.dtype)))
    upright = b.where(left, turned, slope)
    on_axis = b.where(below, b.constant(-math.pi / 2, y.type.dtype), b.constant(math.pi / 2, y.type.dtype))
    flat = b.where(left, b.where(below, b.constant(-math.pi, y.type.dtype), b.constant(math.pi, y.type.dtype)), 0.0)
    zero = b.equal(x, 0.0)
    return b.where(zero, b.where(b.equal(y, 0.0), flat, b.where(b.isnan(y), y, on_axis)), upright)
