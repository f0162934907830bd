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

Row = tuple[tuple[int, ...], tuple[int, ...], bool, dict[str, Any]]
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
        for x, weight, bias, attrs in _conv_rows():
            operands = s.floats(*x), s.floats(*weight), s.floats(weight[0]) if bias else None
            yield s.case(*operands, **{"strides": (1,) * (len(x) - 2), "dilations": (1,) * (len(x) - 2), **attrs})


def _conv_rows() -> Iterator[Row]:
    """Input shape, weight shape, whether there is a bias, and what is not 1 or the default."""
    attrs: dict[str, Any]
    last: dict[str, Any] = {"layout": "channels_last"}
    yield (2, 3, 9), (4, 3, 3), True, {"dynamic": ((0, 0), (0, 2))}
    yield (2, 4, 9), (6, 2, 2), False, {"strides": (2,), "padding": ((1, 0),), "dilations": (3,), "groups": 2}
    yield (2, 3, 8), (5, 3, 3), True, {"strides": (2,), "padding": "causal", "dilations": (2,), "dynamic": ((0, 2),)}
    image, kernel = (2, 4, 7, 6), (6, 4, 3, 2)
    for padding in ("valid", "same_upper", "same_lower", ((1, 0), (2, 1))):
        for strides, dilations in (((1, 1), (1, 1)), ((2, 3), (1, 1)), ((1, 1), (2, 3)), ((3, 2), (2, 1))):
            attrs = {
                "strides": strides,
                "padding": padding,
                "dilations": dilations,
                "dynamic": ((0, 0), (0, 2), (0, 3)),
            }
            yield image, kernel, True, attrs
    for groups in (2, 4):
        yield image, (8, 4 // groups, 3, 3), True, {"strides": (2, 1), "padding": ((1, 1), (1, 1)), "groups": groups}
    for padding, strides in (("valid", (1, 1)), ("same_upper", (2, 1)), (((0, 1), (1, 0)), (1, 2))):
        attrs = {"strides": strides, "padding": padding, "groups": 2, "dynamic": ((0, 0), (0, 1))}
        yield (2, 7, 6, 4), (6, 2, 3, 2), True, {**attrs, **last}
    yield (1, 5, 5, 4), (4, 1, 3, 3), False, {"groups": 4, **last}
    yield (2, 3, 4, 5), (6, 3, 1, 1), True, {}
    pads = ((0, 1), (1, 1), (1, 0))
    yield (
        (2, 2, 4, 5, 6),
        (4, 1, 2, 3, 2),
        True,
        {"strides": (1, 2, 1), "padding": pads, "dilations": (2, 1, 1), "groups": 2},
    )
    yield (1, 4, 4, 4, 2), (3, 2, 2, 2, 2), False, {"padding": "same_lower", **last}
    yield (0, 3, 6, 6), (4, 3, 3, 3), True, {"name": "no batch"}
    yield (1, 3, 4, 4), (4, 3, 5, 5), False, {"error": ValueError, "name": "window too large"}
    yield (1, 3, 4, 4), (4, 2, 3, 3), False, {"error": ValueError, "name": "channels"}
    yield (1, 3, 4, 4), (4, 3, 3, 3), False, {"padding": "causal", "error": ValueError, "name": "causal 2-D"}
    yield (
        (1, 4, 4, 4),
        (3, 2, 3, 3),
        False,
        {"groups": 2, "error": ValueError, "name": "outputs that groups do not divide"},
    )
    yield (1, 3, 4, 4), (4, 3, 3, 3), False, {"strides": (0, 1), "error": ValueError, "name": "stride 0"}
    yield (1, 3, 4, 4), (4, 3, 3), False, {"error": ValueError, "name": "weight of another rank"}


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
    kernels = weight.reshape(weight.shape[0] * inner, len(offsets))
    one = batch * groups * inner * points * x.itemsize
    block = max(1, _COLUMN_BYTES // max(1, one))

    def product(start: int) -> np.ndarray:  # a function: only one block of columns is held at a time
        part = offsets[start : start + block]
        columns = np.empty((batch, groups, inner, len(part), *sizes), x.dtype)
        for i, offset in enumerate(part):
            columns[:, :, :, i] = grouped[window_index(offset, sizes, strides, dilations)]
        left = kernels[:, start : start + len(part)].reshape(groups, weight.shape[0] // groups, inner * len(part))
        return np.matmul(left, columns.reshape(batch, groups, inner * len(part), points))

    out = product(0)
    for start in range(block, len(offsets), block):
        out += product(start)
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
        for x, weight, bias, attrs in _transpose_rows():
            channels = weight[1] * attrs.get("groups", 1)
            operands = s.floats(*x), s.floats(*weight), s.floats(channels) if bias else None
            n = len(x) - 2
            plain = {"strides": (1,) * n, "dilations": (1,) * n, "padding": ((0, 0),) * n, "output_padding": (0,) * n}
            yield s.case(*operands, **{**plain, **attrs})


def _transpose_rows() -> Iterator[Row]:
    """Input shape, weight shape, whether there is a bias, and what is not 1, 0 or the default."""
    attrs: dict[str, Any]
    last: dict[str, Any] = {"layout": "channels_last"}
    everywhere = ((0, 0), (0, 2), (0, 3))
    yield (
        (2, 3, 6),
        (3, 4, 3),
        True,
        {"strides": (2,), "padding": ((1, 1),), "output_padding": (1,), "dynamic": everywhere[:2]},
    )
    yield (2, 4, 5), (4, 2, 2), False, {"padding": ((0, 1),), "dilations": (3,), "groups": 2}
    for strides, padding, extra, dilations in (
        ((1, 1), ((0, 0), (0, 0)), (0, 0), (1, 1)),
        ((2, 2), ((1, 1), (0, 0)), (1, 0), (1, 1)),
        ((3, 2), ((1, 0), (0, 2)), (2, 1), (1, 1)),
        ((2, 1), ((2, 2), (1, 1)), (0, 0), (2, 1)),
        ((2, 2), ((0, 0), (0, 0)), (1, 1), (1, 2)),
        ((4, 4), ((0, 0), (0, 0)), (0, 0), (1, 1)),
        ((2, 1), ((1, 0), (0, 2)), (3, 1), (1, 1)),
        ((1, 2), ((0, 2), (1, 1)), (1, 2), (2, 1)),
    ):
        attrs = {"strides": strides, "padding": padding, "output_padding": extra, "dilations": dilations}
        yield (2, 4, 4, 5), (4, 3, 3, 2), True, {**attrs, "dynamic": everywhere}
    for groups in (2, 4):
        attrs = {"strides": (2, 2), "padding": ((1, 1), (1, 1)), "output_padding": (1, 1), "groups": groups}
        yield (2, 4, 4, 4), (4, 2, 3, 3), True, attrs
        yield (2, 3, 4, 4), (4, 2, 3, 3), False, {"strides": (2, 1), "groups": groups, **last}
    pads = ((0, 0), (1, 0), (0, 1))
    attrs = {"strides": (1, 2, 2), "padding": pads, "output_padding": (0, 1, 1), "dilations": (1, 1, 2)}
    yield (1, 2, 3, 3, 2), (2, 4, 2, 2, 3), True, attrs
    yield (0, 3, 4, 4), (3, 2, 3, 3), False, {"name": "no batch"}
    yield (1, 3, 4, 4), (2, 2, 3, 3), False, {"error": ValueError, "name": "channels"}
    yield (
        (1, 2, 1, 1),
        (2, 2, 1, 1),
        False,
        {"padding": ((1, 1), (0, 0)), "error": ValueError, "name": "crops everything"},
    )
    yield (
        (1, 2, 3, 3),
        (2, 2, 1, 1),
        False,
        {"padding": ((-1, 0), (0, 0)), "error": ValueError, "name": "negative crop"},
    )
    yield (1, 2, 3, 3), (2, 2, 1, 1), False, {"padding": ((0, 0),), "error": ValueError, "name": "padding of one axis"}
    yield (1, 2, 3, 3), (2, 2, 1, 1), False, {"output_padding": (0,), "error": ValueError, "name": "extra of one axis"}
