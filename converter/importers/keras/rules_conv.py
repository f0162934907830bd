"""Convolutions."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.layers import finish, layout_of
from ir.ops.axes import Padding

_PADDING: dict[str, Padding] = {"same": "same_upper", "valid": "valid", "causal": "causal"}


@rule("layers.Conv1D", "layers.Conv2D", "layers.Conv3D")
def conv(c: KerasContext, layer: Any, inputs: Any, training: Any = None) -> Any:
    kernel = c.weight(layer.kernel, "S* I O", "O I S*")
    bias = c.optional(layer.bias, kernel.type.dtype) if layer.use_bias else None
    result = c.b.conv(
        c.value(inputs, kernel.type.dtype), kernel, bias,
        strides=tuple(layer.strides), padding=_PADDING[layer.padding], dilations=tuple(layer.dilation_rate),
        groups=layer.groups, layout=layout_of(layer),
    )  # fmt: skip
    return finish(c, layer, result)
