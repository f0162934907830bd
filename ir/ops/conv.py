"""Convolution and its transpose, of any number of spatial axes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ir.ops.axes import (
    Layout,
    Padding,
    Pairs,
    channel_axis,
    check_window,
    concrete_windows,
    effective,
    from_channels_first,
    pad_spatial,
    per_channel,
    require_spatial,
    spatial_shape,
    spatial_sizes,
    to_channels_first,
    window_index,
    window_outputs,
)
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import Dim, TensorType, require_same

_COLUMN_BYTES = 48 << 20  # how much memory one gathered block of input columns may take


def _check_groups(name: str, channels: Dim, groups: int) -> None:
    if groups < 1:
        raise ValueError(f"{name}: groups must be positive, got {groups}")
    if isinstance(channels, int) and channels % groups:
        raise ValueError(f"{name}: {channels} channels do not divide into {groups} groups")


def _check_bias(name: str, bias: TensorType | None, channels: Dim) -> None:
    if bias is not None:
        if bias.rank != 1:
            raise ValueError(f"{name}: bias must be 1-D, got {bias}")
        require_same(bias.shape[0], channels, f"{name} bias and output channels")


def _check_weight(name: str, x: TensorType, weight: TensorType) -> int:
    spatial = require_spatial(x.shape, name)
    if weight.rank != x.rank:
        raise ValueError(f"{name}: weight {weight} must have the rank of the input {x}")
    check_window(name, spatial, weight=weight.shape[2:])
    return spatial


@op
class Conv:
    """Cross-correlation: y[o, p] = bias[o] + sum over c, k of weight[o, c, k] * x[c, p * stride + k * dilation - pad].

    Channels are split into `groups`; output channel o reads the inputs of its own group only (LeCun et al. 1998;
    the operator of torch.nn.functional.conv*d, ONNX Conv and tf.nn.convolution). Padding is with zeros.
    """

    inputs = ("x: float", "weight: x", "bias?: x")
    roles = {"weight": "O I S*"}  # I is the number of channels of one group
    strides: tuple[int, ...]
    padding: Padding = "valid"
    dilations: tuple[int, ...]
    groups: int = 1
    layout: Layout = "channels_first"

    @staticmethod
    def infer(
        x: TensorType,
        weight: TensorType,
        bias: TensorType | None,
        strides: tuple[int, ...],
        padding: Padding,
        dilations: tuple[int, ...],
        groups: int,
        layout: Layout,
    ) -> TensorType:
        spatial = _check_weight("conv", x, weight)
        check_window("conv", spatial, strides=strides, dilations=dilations)
        out_channels = weight.shape[0]
        _check_groups("conv", out_channels, groups)
        require_same(x.shape[channel_axis(layout, x.rank)], weight.shape[1] * groups, "conv input channels and weight")
        _check_bias("conv", bias, out_channels)
        sizes, _ = window_outputs(spatial_sizes(x.shape, layout), weight.shape[2:], strides, dilations, padding)
        return x.with_shape(spatial_shape(x.shape[0], out_channels, sizes, layout))

    @staticmethod
    def evaluate(
        x: np.ndarray,
        weight: np.ndarray,
        bias: np.ndarray | None,
        strides: tuple[int, ...],
        padding: Padding,
        dilations: tuple[int, ...],
        groups: int,
        layout: Layout,
    ) -> np.ndarray:
        xs = to_channels_first(x, layout)
        sizes, pads = concrete_windows(xs.shape[2:], weight.shape[2:], strides, dilations, padding)
        out = _correlate(pad_spatial(xs, pads), weight, sizes, strides, dilations, groups)
        if bias is not None:
            out += per_channel(bias, 1, out.ndim)
        return from_channels_first(out, layout)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        one, two, three = (1,), (1, 1), (1, 1, 1)
        yield s.case(
            s.floats(2, 3, 9), s.floats(4, 3, 3), s.floats(4), strides=one, dilations=one, dynamic=((0, 0), (0, 2))
        )
        yield s.case(
            s.floats(2, 4, 9), s.floats(6, 2, 2), None, strides=(2,), padding=((1, 0),), dilations=(3,), groups=2
        )
        yield s.case(
            s.floats(2, 3, 8),
            s.floats(5, 3, 3),
            s.floats(5),
            strides=(2,),
            padding="causal",
            dilations=(2,),
            dynamic=((0, 2),),
        )
        image, kernel = (2, 4, 7, 6), (6, 4, 3, 2)
        for padding in ("valid", "same_upper", "same_lower", ((1, 0), (2, 1))):
            for strides, dilations in (((1, 1), (1, 1)), ((2, 3), (1, 1)), ((1, 1), (2, 3)), ((3, 2), (2, 1))):
                yield s.case(
                    s.floats(*image), s.floats(*kernel), s.floats(6), strides=strides, padding=padding, dilations=dilations,
                    dynamic=((0, 0), (0, 2), (0, 3)),
                )  # fmt: skip
        for groups in (2, 4):
            yield s.case(
                s.floats(*image),
                s.floats(8, 4 // groups, 3, 3),
                s.floats(8),
                strides=(2, 1),
                padding=((1, 1), (1, 1)),
                dilations=two,
                groups=groups,
            )
        for padding, strides in (("valid", (1, 1)), ("same_upper", (2, 1)), (((0, 1), (1, 0)), (1, 2))):
            yield s.case(
                s.floats(2, 7, 6, 4), s.floats(6, 2, 3, 2), s.floats(6), strides=strides, padding=padding, dilations=two, groups=2,
                layout="channels_last", dynamic=((0, 0), (0, 1)),
            )  # fmt: skip
        yield s.case(
            s.floats(1, 5, 5, 4),
            s.floats(4, 1, 3, 3),
            None,
            strides=two,
            dilations=two,
            groups=4,
            layout="channels_last",
        )
        yield s.case(s.floats(2, 3, 4, 5), s.floats(6, 3, 1, 1), s.floats(6), strides=two, dilations=two)
        yield s.case(
            s.floats(2, 2, 4, 5, 6),
            s.floats(4, 1, 2, 3, 2),
            s.floats(4),
            strides=(1, 2, 1),
            padding=((0, 1), (1, 1), (1, 0)),
            dilations=(2, 1, 1),
            groups=2,
        )
        yield s.case(
            s.floats(1, 4, 4, 4, 2),
            s.floats(3, 2, 2, 2, 2),
            None,
            strides=three,
            padding="same_lower",
            dilations=three,
            layout="channels_last",
        )
        yield s.case(
            s.floats(0, 3, 6, 6), s.floats(4, 3, 3, 3), s.floats(4), strides=two, dilations=two, name="no batch"
        )
        yield s.case(
            s.floats(1, 3, 4, 4),
            s.floats(4, 3, 5, 5),
            None,
            strides=two,
            dilations=two,
            error=ValueError,
            name="window too large",
        )
        yield s.case(
            s.floats(1, 3, 4, 4),
            s.floats(4, 2, 3, 3),
            None,
            strides=two,
            dilations=two,
            error=ValueError,
            name="channels",
        )
        yield s.case(
            s.floats(1, 3, 4, 4),
            s.floats(4, 3, 3, 3),
            None,
            strides=two,
            padding="causal",
            dilations=two,
            error=ValueError,
            name="causal 2-D",
        )


def _correlate(
    x: np.ndarray,
    weight: np.ndarray,
    sizes: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> np.ndarray:
    """Channels-first convolution of an already padded input, by matrix products over blocks of window elements."""
    batch, inner = x.shape[0], weight.shape[1]
    points, offsets = math.prod(sizes), list(np.ndindex(*weight.shape[2:]))
    grouped = x.reshape(batch, groups, inner, *x.shape[2:])
    kernels = weight.reshape(groups, weight.shape[0] // groups, inner, len(offsets))
    one = max(1, batch * groups * inner * points * x.itemsize)
    block = max(1, min(len(offsets), _COLUMN_BYTES // one))
    out: np.ndarray | None = None
    for start in range(0, len(offsets), block):
        part = offsets[start : start + block]
        columns = np.empty((batch, groups, inner, len(part), *sizes), x.dtype)
        for i, offset in enumerate(part):
            columns[:, :, :, i] = grouped[window_index(offset, sizes, strides, dilations)]
        left = kernels[:, :, :, start : start + len(part)].reshape(groups, weight.shape[0] // groups, inner * len(part))
        product = np.matmul(left, columns.reshape(batch, groups, inner * len(part), points))
        out = product if out is None else np.add(out, product, out=out)
    assert out is not None  # a window has at least one element
    return out.reshape(batch, weight.shape[0], *sizes)


@op
class ConvTranspose:
    """The gradient of a convolution with respect to its input, used as a layer (Zeiler et al. 2010).

    Each input element adds weight[i, o, k] * x[i, p] to y[o, p * stride + k * dilation - pad]. `padding` is what is
    cropped from (before, after) of the full result, `output_padding` is what is appended to it before cropping.
    """

    inputs = ("x: float", "weight: x", "bias?: x")
    roles = {"weight": "I O S*"}  # O is the number of output channels of one group
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    output_padding: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int = 1
    layout: Layout = "channels_first"

    @staticmethod
    def infer(
        x: TensorType,
        weight: TensorType,
        bias: TensorType | None,
        strides: tuple[int, ...],
        padding: Pairs,
        output_padding: tuple[int, ...],
        dilations: tuple[int, ...],
        groups: int,
        layout: Layout,
    ) -> TensorType:
        spatial = _check_weight("conv_transpose", x, weight)
        check_window("conv_transpose", spatial, strides=strides, dilations=dilations)
        if len(padding) != spatial or len(output_padding) != spatial:
            raise ValueError(
                f"conv_transpose: padding {padding} and output_padding {output_padding} must cover {spatial} spatial axes"
            )
        if any(p < 0 for pair in padding for p in pair) or any(p < 0 for p in output_padding):
            raise ValueError("conv_transpose: padding and output_padding must not be negative")
        _check_groups("conv_transpose", weight.shape[0], groups)
        require_same(x.shape[channel_axis(layout, x.rank)], weight.shape[0], "conv_transpose input channels and weight")
        out_channels = weight.shape[1] * groups
        _check_bias("conv_transpose", bias, out_channels)
        sizes = []
        for size, w, s, d, (before, after), extra in zip(
            spatial_sizes(x.shape, layout), weight.shape[2:], strides, dilations, padding, output_padding
        ):
            out = (size - 1) * s + effective(w, d) + extra - before - after
            if isinstance(out, int) and out < 0:
                raise ValueError(f"conv_transpose: padding {padding} crops more than the whole output")
            sizes.append(out)
        return x.with_shape(spatial_shape(x.shape[0], out_channels, sizes, layout))

    @staticmethod
    def evaluate(
        x: np.ndarray,
        weight: np.ndarray,
        bias: np.ndarray | None,
        strides: tuple[int, ...],
        padding: Pairs,
        output_padding: tuple[int, ...],
        dilations: tuple[int, ...],
        groups: int,
        layout: Layout,
    ) -> np.ndarray:
        xs = to_channels_first(x, layout)
        batch, in_sizes, window = xs.shape[0], xs.shape[2:], weight.shape[2:]
        inner, outer = weight.shape[0] // groups, weight.shape[1]
        full = [
            (n - 1) * s + (w - 1) * d + 1 + e
            for n, s, w, d, e in zip(in_sizes, strides, window, dilations, output_padding)
        ]
        out = np.zeros((batch, groups, outer, *full), x.dtype)
        columns = np.ascontiguousarray(xs).reshape(batch, groups, inner, math.prod(in_sizes))
        kernels = weight.reshape(groups, inner, outer, *window)
        for offset in np.ndindex(*window):
            left = kernels[:, :, :, *offset].transpose(0, 2, 1)
            product = np.matmul(left, columns).reshape(batch, groups, outer, *in_sizes)
            out[window_index(offset, in_sizes, strides, dilations)] += product
        kept: Any = (..., *(slice(before, n - after) for n, (before, after) in zip(full, padding)))
        result = out.reshape(batch, groups * outer, *full)[kept]
        if bias is not None:
            result = result + per_channel(bias, 1, result.ndim)
        return from_channels_first(np.ascontiguousarray(result), layout)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        none, two = ((0, 0), (0, 0)), (1, 1)
        yield s.case(
            s.floats(2, 3, 6),
            s.floats(3, 4, 3),
            s.floats(4),
            strides=(2,),
            padding=((1, 1),),
            output_padding=(1,),
            dilations=(1,),
            dynamic=((0, 0), (0, 2)),
        )
        yield s.case(
            s.floats(2, 4, 5),
            s.floats(4, 2, 2),
            None,
            strides=(1,),
            padding=((0, 1),),
            output_padding=(0,),
            dilations=(3,),
            groups=2,
        )
        settings = (
            ((1, 1), none, (0, 0), two), ((2, 2), ((1, 1), (0, 0)), (1, 0), two), ((3, 2), ((1, 0), (0, 2)), (2, 1), two),
            ((2, 1), ((2, 2), (1, 1)), (0, 0), (2, 1)), ((2, 2), none, (1, 1), (1, 2)), ((4, 4), none, (0, 0), two),
        )  # fmt: skip
        for strides, padding, extra, dilations in settings:
            yield s.case(
                s.floats(2, 4, 4, 5), s.floats(4, 3, 3, 2), s.floats(3), strides=strides, padding=padding, output_padding=extra,
                dilations=dilations, dynamic=((0, 0), (0, 2), (0, 3)),
            )  # fmt: skip
        for groups in (2, 4):
            yield s.case(
                s.floats(2, 4, 4, 4),
                s.floats(4, 2, 3, 3),
                s.floats(2 * groups),
                strides=(2, 2),
                padding=((1, 1), (1, 1)),
                output_padding=(1, 1),
                dilations=two,
                groups=groups,
            )
            yield s.case(
                s.floats(2, 3, 4, 4),
                s.floats(4, 2, 3, 3),
                None,
                strides=(2, 1),
                padding=none,
                output_padding=(0, 0),
                dilations=two,
                groups=groups,
                layout="channels_last",
            )
        yield s.case(
            s.floats(1, 2, 3, 3, 2),
            s.floats(2, 4, 2, 2, 3),
            s.floats(4),
            strides=(1, 2, 2),
            padding=((0, 0), (1, 0), (0, 1)),
            output_padding=(0, 1, 1),
            dilations=(1, 1, 2),
        )
        yield s.case(
            s.floats(0, 3, 4, 4),
            s.floats(3, 2, 3, 3),
            None,
            strides=two,
            padding=none,
            output_padding=(0, 0),
            dilations=two,
            name="no batch",
        )
        yield s.case(
            s.floats(1, 3, 4, 4),
            s.floats(2, 2, 3, 3),
            None,
            strides=two,
            padding=none,
            output_padding=(0, 0),
            dilations=two,
            error=ValueError,
            name="channels",
        )
        yield s.case(
            s.floats(1, 2, 1, 1),
            s.floats(2, 2, 1, 1),
            None,
            strides=two,
            padding=((1, 1), (0, 0)),
            output_padding=(0, 0),
            dilations=two,
            error=ValueError,
            name="crops everything",
        )
