"""Activations of ONNX Runtime's own domain, and those it fuses into the node before."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import microsoft
from ir.core import Value


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
    return b.clip(x, numbers[0], numbers[1])
