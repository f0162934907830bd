"""Convolutions and pools of ONNX Runtime's own domain: with an activation fused into them, or channels last."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_conv import conv
from converter.importers.onnx.rules_microsoft_activation import PARAMETERS, activated
from converter.importers.onnx.table import microsoft
from ir.core import Value

_FUSED = ("Relu", "Tanh", "Sigmoid", "LeakyRelu", "Clip", "HardSigmoid")


@microsoft("FusedConv")
def fused_conv(c: OnnxContext) -> Value:
    """A convolution, plus a tensor of the result's shape, then an activation."""
    out = conv(c)
    if c.has(3):
        if c.type(3).rank != out.type.rank:
            c.refuse(f"a sum of {out.type} and {c.type(3)} is not defined")
        out = c.b.add(out, c.x(3))
    name, numbers = c.attr("activation"), c.attr("activation_params") or []
    if not name:
        return out
    if name not in _FUSED:
        c.refuse(f"activation={name!r} is not supported")
    if len(numbers) != PARAMETERS[name]:
        c.refuse(f"activation={name!r} with activation_params={numbers} is not defined")
    return activated(c, out, name, numbers)
