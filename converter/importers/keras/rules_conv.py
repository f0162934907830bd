"""Convolutions: layers with their weights in the IR's order, and the operations that compute the same."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.layers import each, finish, layout_of
from ir.core import Value
from ir.ops.axes import Layout, Padding

_PADDING: dict[str, Padding] = {"same": "same_upper", "valid": "valid", "causal": "causal"}
Settings = dict[str, Any]


def _settings(spec: Any, rank: int) -> Settings:
    """What a layer and an operation call alike."""
    strides = (1,) * rank if spec.strides is None else each(spec.strides, rank)
    return {
        "strides": strides, "padding": _PADDING[spec.padding], "dilations": each(spec.dilation_rate, rank),
        "layout": layout_of(spec),
    }  # fmt: skip


def _bias(c: KerasContext, layer: Any, like: Value) -> Value | None:
    return c.value(layer.bias, like.type.dtype) if layer.use_bias else None


# -- plain --------------------------------------------------------------------------------------------------------------
@rule("layers.Conv1D", "layers.Conv2D", "layers.Conv3D")
def conv_layer(c: KerasContext, layer: Any, inputs: Any, training: Any = None) -> Any:
    kernel = c.weight(layer.kernel, "S* I O", "O I S*")
    x = c.value(inputs, kernel.type.dtype)
    bias = _bias(c, layer, kernel)
    return finish(c, layer, c.b.conv(x, kernel, bias, groups=layer.groups, **_settings(layer, layer.rank)))


@rule("ops.Conv")
def conv(c: KerasContext, op: Any, inputs: Any, kernel: Any) -> Value:
    x, w = c.value(inputs), c.weight(kernel, "S* I O", "O I S*")
    settings = _settings(op, x.type.rank - 2)
    channels, own = x.type.shape[_channels(settings["layout"])], w.type.shape[1]
    if not isinstance(channels, int) or not isinstance(own, int):
        c.refuse("a convolution over an unknown number of channels")
    return c.b.conv(x, w, None, groups=channels // own, **settings)


def _channels(layout: Layout) -> int:
    return -1 if layout == "channels_last" else 1


# -- channel by channel -------------------------------------------------------------------------------------------------
def _depthwise(c: KerasContext, x: Value, kernel: Any, bias: Value | None, settings: Settings) -> Value:
    """Kernel [window.., channels, filters of each]: a convolution in as many groups as there are channels."""
    weight = c.weight(kernel, "S* O I", "O I S*")
    channels, each_, *window = weight.type.shape
    if each_ != 1:
        weight = c.b.reshape(weight, shape=(channels * each_, 1, *window))
    return c.b.conv(c.cast(x, weight.type.dtype), weight, bias, groups=channels, **settings)


@rule("layers.DepthwiseConv1D", "layers.DepthwiseConv2D")
def depthwise_layer(c: KerasContext, layer: Any, inputs: Any, training: Any = None) -> Any:
    x = c.value(inputs)
    return finish(c, layer, _depthwise(c, x, layer.kernel, _bias(c, layer, x), _settings(layer, layer.rank)))


@rule("ops.DepthwiseConv")
def depthwise(c: KerasContext, op: Any, inputs: Any, kernel: Any) -> Value:
    x = c.value(inputs)
    return _depthwise(c, x, kernel, None, _settings(op, x.type.rank - 2))


def _separable(
    c: KerasContext, x: Value, depthwise_kernel: Any, pointwise_kernel: Any, bias: Value | None, settings: Settings
) -> Value:
    """Channel by channel, then across channels at each position."""
    inner = _depthwise(c, x, depthwise_kernel, None, settings)
    rank = x.type.rank - 2
    weight = c.weight(pointwise_kernel, "S* I O", "O I S*")
    ones = (1,) * rank
    return c.b.conv(inner, weight, bias, strides=ones, dilations=ones, padding="valid", layout=settings["layout"])


@rule("layers.SeparableConv1D", "layers.SeparableConv2D")
def separable_layer(c: KerasContext, layer: Any, inputs: Any, training: Any = None) -> Any:
    x, settings = c.value(inputs), _settings(layer, layer.rank)
    bias = _bias(c, layer, x)
    return finish(c, layer, _separable(c, x, layer.depthwise_kernel, layer.pointwise_kernel, bias, settings))


@rule("ops.SeparableConv")
def separable(c: KerasContext, op: Any, inputs: Any, depthwise_kernel: Any, pointwise_kernel: Any) -> Value:
    x = c.value(inputs)
    return _separable(c, x, depthwise_kernel, pointwise_kernel, None, _settings(op, x.type.rank - 2))


# -- transposed ---------------------------------------------------------------------------------------------------------
def _transposed(c: KerasContext, x: Value, kernel: Any, bias: Value | None, spec: Any) -> Value:
    """Kernel [window.., out, in]; what is cropped, or appended, follows from the size that Keras wants (all backends)."""
    weight = c.weight(kernel, "S* O I", "I O S*")
    rank = x.type.rank - 2
    strides, dilations = each(spec.strides, rank), each(spec.dilation_rate, rank)
    extra = (None,) * rank if spec.output_padding is None else each(spec.output_padding, rank)
    crops = [
        _crop((int(k) - 1) * d + 1, s, spec.padding, e)
        for k, s, d, e in zip(weight.type.shape[2:], strides, dilations, extra, strict=True)
    ]
    return c.b.conv_transpose(
        c.cast(x, weight.type.dtype), weight, bias, strides=strides, dilations=dilations, layout=layout_of(spec),
        padding=tuple((before, max(after, 0)) for before, after in crops),
        output_padding=tuple(max(-after, 0) for _, after in crops),
    )  # fmt: skip


def _crop(window: int, stride: int, padding: str, extra: int | None) -> tuple[int, int]:
    """What is cropped before and behind (less than 0: appended) the (n - 1) * stride + window elements of the whole.

    The result has (n - 1) * stride and, behind it, `stride` elements for same, at least `window` for valid; where
    `output_padding` is given, that and window % 2 for same, that and `window` for valid.
    """
    if padding == "valid":
        return 0, -(max(stride - window, 0) if extra is None else extra)
    total = window - (stride if extra is None else window % 2 + extra)
    before = max(total, 0) // 2
    return before, total - before


@rule("layers.Conv1DTranspose", "layers.Conv2DTranspose", "layers.Conv3DTranspose")
def transposed_layer(c: KerasContext, layer: Any, inputs: Any, training: Any = None) -> Any:
    x = c.value(inputs)
    return finish(c, layer, _transposed(c, x, layer.kernel, _bias(c, layer, x), layer))


@rule("ops.ConvTranspose")
def transposed(c: KerasContext, op: Any, inputs: Any, kernel: Any) -> Value:
    return _transposed(c, c.value(inputs), kernel, None, op)
