"""What every spatial op shares: where the channels lie, what a padding means, how large the output is.

Sizes may be symbolic: the same formulas then give Dim expressions, so that `same_*` padding follows the run-time size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ir.types import Dim, Shape, ceildiv, dim_max, dim_min, floordiv

Layout = Literal["channels_first", "channels_last"]
Pairs = tuple[tuple[int, int], ...]
Padding = tuple[tuple[int, int], ...] | Literal["valid", "same_upper", "same_lower", "causal"]
DimPairs = tuple[tuple[Dim, Dim], ...]


def channel_axis(layout: Layout, rank: int) -> int:
    """The axis of the channels of a batched tensor: 1 or the last one."""
    return 1 if layout == "channels_first" else rank - 1


def spatial_axes(layout: Layout, rank: int) -> tuple[int, ...]:
    """The spatial axes, in order; axis 0 is the batch."""
    return tuple(range(2, rank)) if layout == "channels_first" else tuple(range(1, rank - 1))


def spatial_sizes(shape: Shape, layout: Layout) -> Shape:
    """The spatial part of a shape."""
    return tuple(shape[a] for a in spatial_axes(layout, len(shape)))


def spatial_shape(batch: Dim, channels: Dim, sizes: Sequence[Dim], layout: Layout) -> Shape:
    """The shape with these batch, channel and spatial sizes."""
    return (batch, channels, *sizes) if layout == "channels_first" else (batch, *sizes, channels)


def require_spatial(shape: Shape, op: str) -> int:
    """The number of spatial axes of a batched shape; raises ValueError when there is none."""
    if len(shape) < 3:
        raise ValueError(
            f"{op} needs a batch axis, a channel axis and at least one spatial axis, got rank {len(shape)}"
        )
    return len(shape) - 2


def check_window(op: str, spatial: int, **settings: Sequence[Dim]) -> None:
    """Raise ValueError unless each setting has one positive number for each spatial axis."""
    for name, values in settings.items():
        if len(values) != spatial:
            raise ValueError(f"{op}: {name} {tuple(values)} must have one number for each of {spatial} spatial axes")
        if any(isinstance(v, int) and v < 1 for v in values):
            raise ValueError(f"{op}: {name} {tuple(values)} must be positive")


def effective(window: Dim, dilation: int) -> Dim:
    """The extent of a dilated window, first to last element."""
    return (window - 1) * dilation + 1


def explicit_padding(
    padding: Padding, in_sizes: Sequence[Dim], window: Sequence[Dim], strides: Sequence[int], dilations: Sequence[int]
) -> DimPairs:
    """(before, after) for each spatial axis.

    `same_*`: the output has ceil(in / stride) elements; the total max((out - 1) * stride + extent - in, 0) is split in
    halves and the odd element goes after (`same_upper`) or before (`same_lower`). `causal`: extent - 1 before.
    Raises ValueError on a negative or missing pair, and on `causal` with several spatial axes.
    """
    if isinstance(padding, tuple):
        if len(padding) != len(in_sizes):
            raise ValueError(
                f"padding {padding} must have one (before, after) for each of {len(in_sizes)} spatial axes"
            )
        if any(p < 0 for pair in padding for p in pair):
            raise ValueError(f"padding {padding} must not be negative")
        return padding
    if padding == "valid":
        return ((0, 0),) * len(in_sizes)
    extents = [effective(w, d) for w, d in zip(window, dilations)]
    if padding == "causal":
        if len(in_sizes) != 1:
            raise ValueError(f"causal padding has one spatial axis, got {len(in_sizes)}")
        return ((extents[0] - 1, 0),)
    pairs: list[tuple[Dim, Dim]] = []
    for size, extent, stride in zip(in_sizes, extents, strides):
        total = dim_max((ceildiv(size, stride) - 1) * stride + extent - size, 0)
        half = floordiv(total, 2)
        pairs.append((half, total - half) if padding == "same_upper" else (total - half, half))
    return tuple(pairs)


def output_size(size: Dim, extent: Dim, stride: int, pads: tuple[Dim, Dim], ceil_mode: bool) -> Dim:
    """How many windows fit: (size + pads - extent) // stride + 1.

    With `ceil_mode` a last partial window counts too, unless it would start behind the input and its leading padding.
    Raises ValueError where the window is certainly larger than the padded input.
    """
    room = size + pads[0] + pads[1] - extent
    if isinstance(room, int) and room < 0:
        raise ValueError(f"a window of extent {extent} does not fit the padded size {room + extent}")
    if not ceil_mode:
        return floordiv(room, stride) + 1
    return dim_min(ceildiv(room, stride) + 1, ceildiv(size + pads[0], stride))


def window_outputs(
    in_sizes: Sequence[Dim],
    window: Sequence[Dim],
    strides: Sequence[int],
    dilations: Sequence[int],
    padding: Padding,
    ceil_mode: bool = False,
) -> tuple[Shape, DimPairs]:
    """Output sizes and explicit pads of a sliding window; `same_*` gives ceil(in / stride) by definition."""
    pads = explicit_padding(padding, in_sizes, window, strides, dilations)
    if padding in ("same_upper", "same_lower"):
        return tuple(ceildiv(size, stride) for size, stride in zip(in_sizes, strides)), pads
    sizes = (
        output_size(size, effective(w, d), stride, pair, ceil_mode)
        for size, w, stride, d, pair in zip(in_sizes, window, strides, dilations, pads)
    )
    return tuple(sizes), pads


def to_channels_first(x: np.ndarray, layout: Layout) -> np.ndarray:
    """A view with the channels on axis 1."""
    return x if layout == "channels_first" else np.moveaxis(x, -1, 1)


def from_channels_first(x: np.ndarray, layout: Layout) -> np.ndarray:
    """The reverse of `to_channels_first`, contiguous."""
    return x if layout == "channels_first" else np.ascontiguousarray(np.moveaxis(x, 1, -1))


def per_channel(values: np.ndarray, axis: int, rank: int) -> np.ndarray:
    """1-D `values` reshaped to broadcast along `axis` of a tensor of that rank."""
    return values.reshape([len(values) if a == axis else 1 for a in range(rank)])


def pad_spatial(x: np.ndarray, pads: Pairs, value: float | int = 0) -> np.ndarray:
    """A channels-first array padded along its spatial axes."""
    if not any(p for pair in pads for p in pair):
        return x
    return np.pad(x, ((0, 0), (0, 0), *pads), constant_values=value)


def concrete_windows(
    in_sizes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    padding: Padding,
    ceil_mode: bool = False,
) -> tuple[tuple[int, ...], Pairs]:
    """`window_outputs` of known sizes, as integers."""
    sizes, pads = window_outputs(in_sizes, window, strides, dilations, padding, ceil_mode)
    return tuple(int(n) for n in sizes), tuple((int(before), int(after)) for before, after in pads)


def window_index(
    offset: Sequence[int], out_sizes: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> Any:
    """The index (`...`, then a slice for each spatial axis) of what the window's element `offset` meets as it slides."""
    starts = [o * d for o, d in zip(offset, dilations)]
    return (..., *(slice(a, a + (n - 1) * s + 1 if n else a, s) for a, n, s in zip(starts, out_sizes, strides)))
