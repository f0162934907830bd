"""Activations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import expand, not_float64, rule
from ir.core import Builder, Node
from ir.types import dtypes, normalize_axis

WITH_ALPHA = {"leaky_relu": "LeakyRelu", "elu": "Elu", "celu": "Celu"}


def float_relu(node: Node) -> str | None:
    """Integers have a kernel of Max, not of Relu."""
    return None if node.operand("x").type.dtype.is_float else "ONNX Runtime rectifies floats only"


@rule("relu", accepts=float_relu)
def relu(c: Context, node: Node) -> Tensor:
    return c.op("Relu", c.x(node, "x"))


@rule("sigmoid")
def sigmoid(c: Context, node: Node) -> Tensor:
    return c.op("Sigmoid", c.x(node, "x"))


@rule("softsign", accepts=not_float64)
def softsign(c: Context, node: Node) -> Tensor:
    return c.op("Softsign", c.x(node, "x"))


@rule(*WITH_ALPHA, accepts=not_float64)
def with_alpha(c: Context, node: Node) -> Tensor:
    return c.op(WITH_ALPHA[node.op.name], c.x(node, "x"), alpha=node.attrs["alpha"])


@rule("selu", accepts=not_float64)
def selu(c: Context, node: Node) -> Tensor:
    return c.op("Selu", c.x(node, "x"), alpha=node.attrs["alpha"], gamma=node.attrs["gamma"])


@rule("hard_sigmoid", accepts=not_float64)
def hard_sigmoid(c: Context, node: Node) -> Tensor:
    return c.op("HardSigmoid", c.x(node, "x"), alpha=node.attrs["alpha"], beta=node.attrs["beta"])


SINCE = {"hard_swish": 14, "mish": 18, "gelu": 20}
"""Composites that ONNX has from an opset on."""


@expand(*SINCE)
def composite_of_newer_opset(b: Builder, node: Node, opset: int) -> Any:
    """Taken apart below its opset, and where there are no kernels: for float64, and for bfloat16 what ONNX Runtime takes
    apart itself."""
    x = node.operand("x")
    lacking = (dtypes.float64, dtypes.bfloat16) if node.op.name != "gelu" else (dtypes.float64,)
    if opset >= SINCE[node.op.name] and x.type.dtype not in lacking:
        return None
    if x.type.dtype.is_half:  # rounded once, as the op itself
        wide = b.op(node.op, b.cast(x, to=dtypes.float32), **node.attrs)
        return b.cast(wide, to=x.type.dtype)
    return node.op.decompose(b, **node.operands, **node.attrs)  # type: ignore[misc]


@rule("gelu")
def gelu(c: Context, node: Node) -> Tensor:
    return c.op("Gelu", c.x(node, "x"), approximate=node.attrs["approximate"])


@rule("hard_swish", "mish")
def swish(c: Context, node: Node) -> Tensor:
    return c.op("Mish" if node.op.name == "mish" else "HardSwish", c.x(node, "x"))


def exact_softplus(node: Node) -> str | None:
    """ONNX's Softplus has neither scale nor threshold."""
    plain_ = node.attrs["beta"] == 1 and node.attrs["threshold"] == math.inf
    return not_float64(node) if plain_ else "ONNX's Softplus has neither scale nor threshold"


@rule("softplus", accepts=exact_softplus)
def softplus(c: Context, node: Node) -> Tensor:
    return c.op("Softplus", c.x(node, "x"))


@rule("prelu", accepts=not_float64)
def prelu(c: Context, node: Node) -> Tensor:
    """The slope is reshaped to lie along its axis."""
    x, slope = c.x(node, "x"), c.x(node, "slope")
    rank = node.operand("x").type.rank
    axis = node.attrs["axis"]
    behind = 0 if axis is None else rank - 1 - normalize_axis(axis, rank)
    if behind:
        slope = c.op("Unsqueeze", slope, c.ints(range(1, behind + 1)))
    if node.output.type.shape != node.operand("x").type.shape:
        x = c.op("Expand", x, c.dims(node.output.type.shape))
    return c.op("PRelu", x, slope)


def along_axis(name: str) -> Callable[[Context, Node], Tensor]:
    """A rule for an op normalised along `axis`."""

    def write(c: Context, node: Node) -> Tensor:
        return c.op(name, c.x(node, "x"), axis=node.attrs["axis"])

    return write


rule("softmax")(along_axis("Softmax"))
rule("log_softmax")(along_axis("LogSoftmax"))
