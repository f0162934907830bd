"""Convolutions, of images and volumes, plain, channel by channel and transposed; windows that take the maximum of sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from converter.importers.tensorflow.windows import LAYOUTS, padded, padding_of, shifted, spatial_of, windows_of
from ir.core import Value
from ir.data.weights import role_permutation
from ir.ops.axes import Layout, channel_axis, effective, explicit_padding, spatial_axes
from ir.types import Dim, is_static, same

Settings = dict[str, Any]


def turned(c: TensorflowContext, index: int, roles: str, wanted: str) -> Value:
    """A weight whose axes TensorFlow calls `roles` in the order `wanted`; where all uses agree, it is stored so later."""
    value = c.x(index)
    perm = role_permutation(roles, wanted, value.type.rank)
    return value if perm == tuple(range(len(perm))) else c.b.transpose(value, perm=perm)


def _floats(c: TensorflowContext, index: int) -> None:
    if not c.type(index).dtype.is_float:
        c.refuse(f"a convolution of {c.type(index).dtype}", "cast to floats")


def _settings(c: TensorflowContext, layout: Layout, rank: int) -> Settings:
    """What every convolution says of its windows."""
    return {
        "strides": spatial_of(c, "strides", layout, rank), "dilations": spatial_of(c, "dilations", layout, rank),
        "layout": layout,
    }  # fmt: skip


# -- plain --------------------------------------------------------------------------------------------------------------
@rule("Conv2D", "Conv3D")
def conv(c: TensorflowContext) -> Value:
    """Filter [window.., channels of a group, out]: there are as many groups as the input has more channels."""
    c.ignore("use_cudnn_on_gpu")
    layout = LAYOUTS[c.attr("data_format")]
    return _conv(c, c.x(0), turned(c, 1, "S* I O", "O I S*"), layout)


def _conv(c: TensorflowContext, x: Value, weight: Value, layout: Layout) -> Value:
    _floats(c, 0)
    groups = _groups(c, x.type.shape[channel_axis(layout, x.type.rank)], weight.type.shape[1])
    padding = padding_of(c, layout, x.type.rank)
    return c.b.conv(x, weight, None, padding=padding, groups=groups, **_settings(c, layout, x.type.rank))


def _groups(c: TensorflowContext, channels: Dim, own: Dim) -> int:
    if same(channels, own):
        return 1
    if not isinstance(channels, int) or not isinstance(own, int) or not own or channels % own:
        c.refuse(f"a convolution of {channels} channels by filters of {own}", "fix the number of channels")
    return channels // own


@rule("Conv")
def conv_of_any_rank(c: TensorflowContext) -> Value:
    """As Conv2D and Conv3D, with any number of leading axes (`batch_dims`); 1 where the input has no batch."""
    layout = LAYOUTS[c.attr("data_format")]
    groups, lead = c.attr("groups"), c.attr("batch_dims")
    x, weight = c.x(0), turned(c, 1, "S* I O", "O I S*")
    batch = x.type.shape[:lead]
    rank = weight.type.rank
    if groups != 1 or x.type.rank - lead != rank - 1 or not 1 <= lead:
        c.refuse(
            f"{groups} groups, {lead} batch axes of {x.type} and filters {weight.type}, for which TensorFlow has no kernel"
        )
    if lead != 1:
        x = c.b.reshape(x, shape=(_product(batch), *x.type.shape[lead:]))
    out = _conv(c, x, weight, layout)
    return out if lead == 1 else c.b.reshape(out, shape=(*batch, *out.type.shape[1:]))


def _product(sizes: Sequence[Dim]) -> Dim:
    total: Dim = 1
    for size in sizes:
        total = total * size
    return total


@rule("DepthwiseConv2dNative")
def depthwise(c: TensorflowContext) -> Value:
    """Filter [window.., channels, filters of each]: a convolution in as many groups as there are channels."""
    layout = LAYOUTS[c.attr("data_format")]
    _floats(c, 0)
    x, weight = c.x(0), _per_channel(c, 1)
    padding = padding_of(c, layout, x.type.rank)
    settings = _settings(c, layout, x.type.rank)
    return c.b.conv(x, weight, None, padding=padding, groups=int(c.type(1).shape[2]), **settings)


def _per_channel(c: TensorflowContext, index: int) -> Value:
    """A filter [window.., channels, filters of each] as [channels * filters, 1, window..]."""
    weight = turned(c, index, "S* O I", "O I S*")
    channels, each, *window = weight.type.shape
    if not isinstance(channels, int) or not isinstance(each, int):
        c.refuse("filters of an unknown number of channels", "fix the number of channels")
    return weight if each == 1 else c.b.reshape(weight, shape=(channels * each, 1, *window))


@rule("FusedPadConv2D", "FusedResizeAndPadConv2D", "_FusedConv2D", "_FusedDepthwiseConv2dNative")
def fused(c: TensorflowContext) -> Value:
    c.refuse(
        "a fused op, which only TensorFlow's own optimisers write",
        "convert the graph as it was before it was optimised",
    )


# -- transposed ---------------------------------------------------------------------------------------------------------
@rule("Conv2DBackpropInput", "Conv3DBackpropInputV2")
def conv_transpose(c: TensorflowContext) -> Value:
    """The gradient of a convolution: filter [window.., out, in], and the size of the result as an operand."""
    c.ignore("use_cudnn_on_gpu", "Tshape")
    layout = LAYOUTS[c.attr("data_format")]
    return _transposed(c, turned(c, 1, "S* O I", "I O S*"), layout, None)


@rule("DepthwiseConv2dNativeBackpropInput")
def depthwise_transpose(c: TensorflowContext) -> Value:
    """Filter [window.., channels, filters of each]: channel by channel."""
    layout = LAYOUTS[c.attr("data_format")]
    return _transposed(c, _per_channel(c, 1), layout, int(c.type(1).shape[2]))


def _transposed(c: TensorflowContext, weight: Value, layout: Layout, channels: int | None) -> Value:
    """`weight` is [in, out of a group, window..]; `channels` of the result, where `weight` alone does not say."""
    _floats(c, 2)
    x = c.x(2)
    rank = x.type.rank
    axes, wanted = spatial_axes(layout, rank), c.dims(0, "the size of the result")
    if len(wanted) == rank:
        outs = [wanted[a] for a in axes]
        groups = channels or _groups(c, wanted[channel_axis(layout, rank)], weight.type.shape[1])
    else:
        outs, groups = list(wanted), channels or 1
    settings = _settings(c, layout, rank)
    window, strides, dilations = weight.type.shape[2:], settings["strides"], settings["dilations"]
    pads = explicit_padding(padding_of(c, layout, rank), outs, window, strides, dilations)
    full = [
        (x.type.shape[a] - 1) * s + effective(w, d) for a, s, w, d in zip(axes, strides, window, dilations, strict=True)
    ]
    crops = [(before, size - before - out) for size, out, (before, _) in zip(full, outs, pads, strict=True)]
    if all(isinstance(n, int) for pair in crops for n in pair):
        return c.b.conv_transpose(
            x, weight, None, groups=groups, padding=tuple((before, max(after, 0)) for before, after in crops),
            output_padding=tuple(max(-after, 0) for _, after in crops), **settings,
        )  # fmt: skip
    whole = c.b.conv_transpose(
        x,
        weight,
        None,
        groups=groups,
        padding=((0, 0),) * len(axes),
        output_padding=tuple(s - 1 for s in strides),
        **settings,
    )
    return _cut(c, whole, axes, [before for before, _ in crops], outs)


def _cut(c: TensorflowContext, whole: Value, axes: Sequence[int], starts: Sequence[Dim], sizes: Sequence[Dim]) -> Value:
    """The part of the given sizes, which only the run knows: what lies there is what the whole holds, or is empty."""
    stops = tuple(s + n for s, n in zip(starts, sizes, strict=True))
    out = c.b.slice(whole, axes=tuple(axes), starts=tuple(starts), stops=stops, steps=(1,) * len(axes))
    shape = list(out.type.shape)
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] = size
    return out if is_static(out.type.shape) or tuple(shape) == out.type.shape else c.b.reshape(out, shape=tuple(shape))


# -- maxima of sums -----------------------------------------------------------------------------------------------------
@rule("Dilation2D")
def dilation(c: TensorflowContext) -> Value:
    """The largest of x + filter over each window, channel by channel. NaN never wins, nor does less than the lowest number."""
    _floats(c, 0)
    x, rank = c.x(0), 4
    window = c.type(1).shape[:2]
    if not all(isinstance(n, int) for n in window):
        c.refuse("filters of open size", "fix the size of the filters")
    windows = windows_of(
        c, x, tuple(int(n) for n in window), spatial_of(c, "strides", "channels_last", rank),
        spatial_of(c, "rates", "channels_last", rank), padding_of(c, "channels_last", rank),
    )  # fmt: skip
    kind = x.type.dtype
    source = padded(c, x, windows, kind.min)
    best = c.b.full(shape=windows.shape(x), value=kind.min, dtype=kind)
    for offset in windows.offsets():
        part = c.b.add(shifted(c, source, windows, offset), _row(c, offset))
        best = c.b.where(c.b.greater(part, best), part, best)
    return best


def _row(c: TensorflowContext, offset: tuple[int, ...]) -> Value:
    out = c.x(1)
    for index in offset:
        out = c.b.select(out, axis=0, index=index)
    return out
