"""Convolutions and pools of ONNX Runtime's own domain: with an activation fused into them, or channels last."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_conv import conv
from converter.importers.onnx.rules_microsoft_activation import PARAMETERS, activated
from converter.importers.onnx.rules_pool import window_of
from converter.importers.onnx.table import microsoft
from ir.core import Value

_FUSED = ("Relu", "Tanh", "Sigmoid", "LeakyRelu", "Clip", "HardSigmoid")


def channels_first(c: OnnxContext, x: Value) -> Value:
    """[batch, *spatial, channels] with its channels on axis 1."""
    rank = x.type.rank
    return c.b.transpose(x, perm=(0, rank - 1, *range(1, rank - 1)))


def channels_last(c: OnnxContext, x: Value) -> Value:
    """[batch, channels, *spatial] with its channels on the last axis."""
    return c.b.transpose(x, perm=(0, *range(2, x.type.rank), 1))


@microsoft("FusedConv")
def fused_conv(c: OnnxContext) -> Value:
    """A convolution, plus a tensor of the result's shape, then an activation."""
    return _fused(c, conv(c))


@microsoft("NhwcFusedConv")
def nhwc_fused_conv(c: OnnxContext) -> Value:
    """As FusedConv with channels last, but for the weight, which lies as that of Conv."""
    return _fused(c, channels_last(c, conv(c, channels_first(c, c.x(0)))))


@microsoft("NhwcConv")
def nhwc_conv(c: OnnxContext) -> Value:
    """A convolution whose image, result and weight [out, *window, in] have their channels last.

    So ONNX Runtime's optimiser writes the weight and its kernel for GPUs reads it; the text, which is that of Conv, does not say.
    """
    return channels_last(c, conv(c, channels_first(c, c.x(0)), channels_first(c, c.x(1))))


@microsoft("NhwcMaxPool")
def nhwc_max_pool(c: OnnxContext) -> Value:
    x = channels_first(c, c.x())
    return channels_last(c, c.b.max_pool(x, **window_of(c, x)))


def _fused(c: OnnxContext, out: Value) -> Value:
    if c.has(3):
        if c.type(3).rank != out.type.rank:
            c.refuse(f"a sum of {out.type} and {c.type(3)} is not defined")
        out = c.b.add(out, c.x(3))
    name, numbers = c.attr("activation"), c.attr("activation_params") or []
    if not name:
        return out
    if name not in _FUSED:
        c.refuse(f"activation={name!r} is none that the operator names")
    if len(numbers) != PARAMETERS[name]:
        c.refuse(f"activation={name!r} with activation_params={numbers} is not defined")
    return activated(c, out, name, numbers)
