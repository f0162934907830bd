"""Normalisation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.layout import channels_first
from converter.exporters.onnx.table import expand, not_float64, rule
from ir.core import Builder, Node
from ir.ops.norm_parts import narrowed, widened
from ir.ops.slicing import slice_attrs
from ir.types import dtypes, normalize_axes, normalize_axis


@expand("batch_norm")
def batch_norm_on_axis_1(b: Builder, node: Node, opset: int) -> Any:
    x = node.operand("x")
    rank = x.type.rank
    axis = normalize_axis(node.attrs["axis"], rank)
    if x.type.dtype == dtypes.float64:
        return _exact_epsilon(b, node, axis)
    if axis == 1 or rank < 2:
        return None
    perm = _swap_to_1(axis, rank)
    moved = b.transpose(x, perm=perm)
    out, mean, var = b.batch_norm(**{**node.operands, "x": moved}, **{**node.attrs, "axis": 1})
    return b.transpose(out, perm=tuple(int(a) for a in np.argsort(perm))), mean, var


def _exact_epsilon(b: Builder, node: Node, axis: int) -> Any:
    """ONNX's epsilon is a float32: float64 is computed step by step."""
    frozen = {**node.attrs, "axis": axis, "frozen": True}
    return node.op.decompose(b, **node.operands, **frozen)  # type: ignore[misc]


def _swap_to_1(axis: int, rank: int) -> tuple[int, ...]:
    rest = [a for a in range(rank) if a != axis]
    return (rest[0], axis, *rest[1:])


def has_batch_axis(node: Node) -> str | None:
    """ONNX's BatchNormalization has the channels on axis 1."""
    if node.operand("x").type.rank < 2:
        return "ONNX has no batch normalisation of a vector"
    return None if isinstance(node.operand("mean").type.shape[0], int) else "the number of channels is symbolic"


@rule("batch_norm", accepts=has_batch_axis)
def batch_norm(c: Context, node: Node) -> tuple[Tensor, ...]:
    mean, var = c.x(node, "mean"), c.x(node, "var")
    channels = int(node.operand("mean").type.shape[0])
    scale = c.maybe(node, "scale") or c.const(np.ones(channels), mean.dtype)
    bias = c.maybe(node, "bias") or c.const(np.zeros(channels), mean.dtype)
    out = c.op(
        "BatchNormalization", c.x(node, "x"), scale, bias, mean, var, epsilon=node.attrs["eps"],
        momentum=1.0 - node.attrs["momentum"],
    )  # fmt: skip
    if not node.attrs["frozen"]:
        c.note(
            "batch normalisation is written in its inference form: statistics do not move when the ONNX model is trained"
        )
    return out, mean, var


def trailing_axes(node: Node) -> str | None:
    """LayerNormalization covers the last axes."""
    if reason := not_float64(node):
        return reason
    rank = node.operand("x").type.rank
    axes = sorted(normalize_axes(node.attrs["axes"], rank))
    return None if axes == list(range(axes[0], rank)) else "ONNX normalises the last axes only"


@expand("layer_norm")
def layer_norm_of_old_opset(b: Builder, node: Node, opset: int) -> Any:
    """Decomposed where the op is too new, or its scale is missing over sizes that are not known."""
    rank = node.operand("x").type.rank
    shape = [node.operand("x").type.shape[a] for a in normalize_axes(node.attrs["axes"], rank)]
    known = node.operands["scale"] is not None or all(isinstance(d, int) for d in shape)
    if opset >= 17 and known and 0 not in node.operand("x").type.shape:
        return None
    return node.op.decompose(b, **node.operands, **node.attrs)  # type: ignore[misc]


@rule("layer_norm", accepts=trailing_axes)
def layer_norm(c: Context, node: Node) -> Tensor:
    x = node.operand("x")
    axis = min(normalize_axes(node.attrs["axes"], x.type.rank))
    scale = c.maybe(node, "scale")
    if scale is None:
        scale = c.const(np.ones([int(d) for d in x.type.shape[axis:]]), x.type.dtype)
    return c.op(
        "LayerNormalization", c.x(node, "x"), scale, c.maybe(node, "bias"), axis=axis - x.type.rank, epsilon=node.attrs["eps"],
    )  # fmt: skip


@expand("instance_norm")
def first(b: Builder, node: Node, opset: int) -> Any:
    return channels_first(b, node)


def has_float_kernel(node: Node) -> str | None:
    """Instance normalisation with static channels, which its scale needs."""
    x = node.operand("x").type
    if x.dtype.name == "float64" or not isinstance(x.shape[1], int) or any(d == 0 for d in x.shape):
        return "InstanceNormalization does not apply"
    return None


@rule("instance_norm", accepts=has_float_kernel)
def instance_norm(c: Context, node: Node) -> Tensor:
    x = c.x(node, "x")
    channels = int(node.operand("x").type.shape[1])
    scale = c.maybe(node, "scale") or c.const(np.ones(channels), x.dtype)
    bias = c.maybe(node, "bias") or c.const(np.zeros(channels), x.dtype)
    return c.op("InstanceNormalization", x, scale, bias, epsilon=node.attrs["eps"])


@expand("lrn")
def windowed(b: Builder, node: Node, opset: int) -> Any:
    """ONNX Runtime takes odd windows over images only: others are sums of shifted squares."""
    out = channels_first(b, node)
    a, x = node.attrs, node.operand("x")
    if out is None and x.type.shape[1] == 0:
        return b.identity(x)
    if out is not None or (a["size"] % 2 and x.type.rank == 4):
        return out
    short, long = (a["size"] - 1) // 2, a["size"] // 2
    pair = (short, long) if a["wider"] == "after" else (long, short)
    padded = b.pad(b.square(x), pads=tuple(pair if k == 1 else (0, 0) for k in range(x.type.rank)))
    total: Any = None
    for i in range(a["size"]):
        part = b.slice(padded, **slice_attrs(1, i, i + x.type.shape[1], 1))
        total = part if total is None else b.add(total, part)
    return b.div(x, b.pow(b.add(b.mul(total, a["alpha"] / a["size"]), a["k"]), a["beta"]))


@rule("lrn")
def lrn(c: Context, node: Node) -> Tensor:
    a = node.attrs
    return c.op("LRN", c.x(node, "x"), size=a["size"], alpha=a["alpha"], beta=a["beta"], bias=a["k"])


@expand("normalize")
def by_norm(b: Builder, node: Node, opset: int) -> Any:
    """Orders other than 1, 2 and inf, which the decomposition knows."""
    p, axis = node.attrs["p"], node.attrs["axis"]
    if p in (1, 2, math.inf):
        return None
    (x,) = widened(b, node.operand("x"))  # in halves, eps is 0
    size = b.abs(x)
    if p == -math.inf:
        norm = b.reduce_min(size, axes=(axis,), keepdims=True)
    elif p == 0:
        norm = b.reduce_sum(b.cast(b.not_equal(x, 0.0), to=x.type.dtype), axes=(axis,), keepdims=True)
    else:
        norm = b.pow(b.reduce_sum(b.pow(size, p), axes=(axis,), keepdims=True), 1 / p)
    return narrowed(b, b.div(x, b.maximum(norm, node.attrs["eps"])), node.operand("x"))
