"""Convolutions."""

from __future__ import annotations

from typing import Any

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.layout import channels_first
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Node
from ir.ops.axes import explicit_padding, spatial_sizes
from ir.types import DimExpr


def onnx_pads(pairs: Any) -> list[int]:
    """[(before, after), ...] as ONNX lists them: all befores, then all afters."""
    return [p[0] for p in pairs] + [p[1] for p in pairs]


def is_known(pairs: Any) -> bool:
    """Whether every pad is an integer."""
    return not any(isinstance(p, DimExpr) for pair in pairs for p in pair)


@expand("conv")
def explicit_conv(b: Builder, node: Node, opset: int) -> Any:
    """Channels first, and padding as pairs; pads that follow a run-time size become a Pad of their own."""
    out = channels_first(b, node)
    if out is not None or isinstance(node.attrs["padding"], tuple) or node.attrs["padding"] == "valid":
        return out
    x, a = node.operand("x"), node.attrs
    window = node.operand("weight").type.shape[2:]
    pairs = explicit_padding(a["padding"], spatial_sizes(x.type.shape, "channels_first"), window, a["strides"], a["dilations"])
    if not is_known(pairs):
        x, pairs = b.pad(x, pads=((0, 0), (0, 0), *pairs)), ((0, 0),) * len(pairs)
    return b.conv(**{**node.operands, "x": x}, **{**a, "padding": pairs})


@rule("conv")
def conv(c: Context, node: Node) -> Tensor:
    a = node.attrs
    spatial = node.operand("x").type.rank - 2
    pairs = ((0, 0),) * spatial if a["padding"] == "valid" else a["padding"]
    window = node.operand("weight").type.shape[2:]
    return c.op(
        "Conv", c.x(node, "x"), c.x(node, "weight"), c.maybe(node, "bias"), strides=list(a["strides"]), pads=onnx_pads(pairs),
        dilations=list(a["dilations"]), group=a["groups"],
        kernel_shape=None if any(isinstance(d, DimExpr) for d in window) else list(window),
    )  # fmt: skip


@expand("conv_transpose")
def first_conv_transpose(b: Builder, node: Node, opset: int) -> Any:
    """Channels first; an addition at the end that reaches the stride, which ONNX Runtime refuses, crops less instead and
    pads what is left."""
    out = channels_first(b, node)
    a = node.attrs
    if out is not None or all(extra < stride for extra, stride in zip(a["output_padding"], a["strides"], strict=True)):
        return out
    pairs = tuple((low, max(high - extra, 0)) for (low, high), extra in zip(a["padding"], a["output_padding"], strict=True))
    rest = tuple((0, max(extra - high, 0)) for (_, high), extra in zip(a["padding"], a["output_padding"], strict=True))
    bias = node.operands["bias"]
    given = {**a, "padding": pairs, "output_padding": (0,) * len(pairs)}
    out = b.conv_transpose(**{**node.operands, "bias": None}, **given)
    if any(high for _, high in rest):
        out = b.pad(out, pads=((0, 0), (0, 0), *rest))
    if bias is None:
        return out
    return b.add(out, b.reshape(bias, shape=(bias.type.shape[0], *(1,) * len(pairs))))


@rule("conv_transpose")
def conv_transpose(c: Context, node: Node) -> Tensor:
    a = node.attrs
    return c.op(
        "ConvTranspose", c.x(node, "x"), c.x(node, "weight"), c.maybe(node, "bias"), strides=list(a["strides"]),
        pads=onnx_pads(a["padding"]), output_padding=list(a["output_padding"]), dilations=list(a["dilations"]), group=a["groups"],
    )  # fmt: skip
