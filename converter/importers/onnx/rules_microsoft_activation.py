"""Activations of ONNX Runtime's own domain, and those it fuses into the node before."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import microsoft
from ir.core import Value
from ir.types import normalize_axis, numel


@microsoft("Gelu")
def gelu(c: OnnxContext) -> Value:
    return c.b.gelu(c.x())


@microsoft("BiasGelu")
def bias_gelu(c: OnnxContext) -> Value:
    return c.b.gelu(c.b.add(c.x(0), _vector(c, 1)))


@microsoft("FastGelu")
def fast_gelu(c: OnnxContext) -> Value:
    """The approximation by tanh, of x plus an optional bias."""
    return c.b.gelu(c.b.add(c.x(0), _vector(c, 1)) if c.has(1) else c.x(0), approximate="tanh")


@microsoft("QuickGelu")
def quick_gelu(c: OnnxContext) -> Value:
    """x * sigmoid(alpha * x)."""
    x, alpha = c.x(), c.attr("alpha")
    return c.b.silu(x) if alpha == 1 else c.b.mul(x, c.b.sigmoid(c.b.mul(x, alpha)))


@microsoft("BiasAdd")
def bias_add(c: OnnxContext) -> Value:
    """x + bias + skip."""
    return c.b.add(c.b.add(c.x(0), _vector(c, 1)), c.x(2))


@microsoft("BiasSplitGelu")
def bias_split_gelu(c: OnnxContext) -> Value:
    """The first half of x + bias times gelu of the second, along the last axis."""
    total = c.b.add(c.x(0), _vector(c, 1))
    width = total.type.shape[-1]
    if not isinstance(width, int) or width % 2:
        c.refuse(f"{width} features have no halves")
    left, right = c.b.split(total, axis=-1, sizes=(width // 2, width // 2))
    return c.b.mul(left, c.b.gelu(right))


@microsoft("GemmFastGelu")
def gemm_fast_gelu(c: OnnxContext) -> Value:
    """gelu of x @ w + bias, by tanh."""
    out = c.b.matmul(c.x(0), c.x(1))
    return c.b.gelu(c.b.add(out, _vector(c, 2)) if c.has(2) else out, approximate="tanh")


@microsoft("BiasSoftmax")
def bias_softmax(c: OnnxContext) -> Value:
    """softmax of x + bias over all axes from `axis` on; the bias has axes of 1 where it repeats."""
    c.ignore("is_inner_broadcast")  # which axes repeat shows in the bias's shape
    x, bias = c.x(0), c.x(1)
    if bias.type.rank != x.type.rank:
        c.refuse(f"along which axes of {x.type} a bias {bias.type} of another rank repeats is not stated")
    axis, total = normalize_axis(c.attr("axis"), x.type.rank), c.b.add(x, bias)
    if total.type.shape != x.type.shape:
        c.refuse(f"a bias {bias.type} does not fit {x.type}")
    flat = c.b.reshape(total, shape=(*x.type.shape[:axis], numel(x.type.shape[axis:])))
    return c.b.reshape(c.b.softmax(flat, axis=-1), shape=x.type.shape)


def _vector(c: OnnxContext, index: int) -> Value:
    if c.rank(index) != 1:
        c.refuse(f"a bias {c.type(index)} that is no vector is not defined")
    return c.x(index)


Activation = Callable[[OnnxContext, Value, Sequence[float]], Value]
PARAMETERS: dict[str, int] = {
    "Relu": 0, "Tanh": 0, "Sigmoid": 0, "Softplus": 0, "Softsign": 0, "LeakyRelu": 1, "Elu": 1, "ThresholdedRelu": 1, "HardSigmoid": 2,
    "Clip": 2,
}  # fmt: skip
"""How many numbers an activation fused into a node takes: alpha and beta, or minimum and maximum."""


def activated(c: OnnxContext, x: Value, name: str, numbers: Sequence[float]) -> Value:
    """An activation by its name in an attribute, with as many numbers as it takes."""
    b = c.b
    if name in ("Relu", "Tanh", "Sigmoid", "Softsign"):
        out: Value = getattr(b, name.lower())(x)
        return out
    if name == "Softplus":
        return b.softplus(x, threshold=math.inf)
    if name == "LeakyRelu":
        return b.leaky_relu(x, alpha=numbers[0])
    if name == "Elu":
        return b.elu(x, alpha=numbers[0])
    if name == "ThresholdedRelu":
        return b.where(b.greater(x, numbers[0]), x, 0.0)
    if name == "HardSigmoid":
        return b.hard_sigmoid(x, alpha=numbers[0], beta=numbers[1])
    return b.clip(x, min=numbers[0], max=numbers[1])
