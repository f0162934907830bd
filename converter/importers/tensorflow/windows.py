"""What ops over windows share: layouts, paddings, and windows taken apart position by position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from converter.importers.tensorflow.context import TensorflowContext
from ir.core import Value
from ir.ops.axes import DimPairs, Layout, Padding, explicit_padding, spatial_axes, window_outputs
from ir.types import Dim

LAYOUTS: dict[str, Layout] = {
    "NHWC": "channels_last", "NDHWC": "channels_last", "CHANNELS_LAST": "channels_last",
    "NCHW": "channels_first", "NCDHW": "channels_first", "CHANNELS_FIRST": "channels_first",
}  # fmt: skip


def spatial_of(c: TensorflowContext, name: str, layout: Layout, rank: int) -> tuple[int, ...]:
    """An attribute with a number for each axis, which must be 1 for batch and channels: the spatial ones. Empty: ones."""
    return spatial_part(c, c.attr(name), name, layout, rank)


def spatial_part(c: TensorflowContext, values: Sequence[int], name: str, layout: Layout, rank: int) -> tuple[int, ...]:
    """The spatial ones of a number for each axis, which must be 1 for batch and channels. Empty: ones."""
    values = tuple(int(v) for v in values) or (1,) * rank
    if len(values) != rank:
        c.refuse(f"{name}={values} on a tensor of {rank} axes")
    axes = spatial_axes(layout, rank)
    if any(v != 1 for a, v in enumerate(values) if a not in axes):
        c.refuse(f"{name}={values}, which is not 1 for batch and channels")
    return tuple(values[a] for a in axes)


def padding_of(c: TensorflowContext, layout: Layout, rank: int) -> Padding:
    """The `padding` attribute; EXPLICIT comes with (before, after) for each axis, 0 for batch and channels."""
    form = c.only("padding", "SAME", "VALID", "EXPLICIT")
    pairs = tuple(c.attr("explicit_paddings")) if "explicit_paddings" in c.definition.defaults else ()
    if form != "EXPLICIT":
        if any(pairs):
            c.refuse(f"explicit_paddings={pairs} beside padding={form!r}")
        return "same_upper" if form == "SAME" else "valid"
    if len(pairs) != 2 * rank:
        c.refuse(f"explicit_paddings={pairs} on a tensor of {rank} axes")
    axes = spatial_axes(layout, rank)
    if any(pairs[2 * a] or pairs[2 * a + 1] for a in range(rank) if a not in axes):
        c.refuse(f"explicit_paddings={pairs}, which pad batch or channels")
    return tuple((int(pairs[2 * a]), int(pairs[2 * a + 1])) for a in axes)


# -- position by position -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Windows:
    """Windows over the spatial axes of a tensor whose channels are last."""

    window: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: DimPairs
    sizes: tuple[Dim, ...]

    def offsets(self) -> Iterator[tuple[int, ...]]:
        """Every position in a window, the last axis fastest."""
        return np.ndindex(*self.window)

    def shape(self, x: Value) -> tuple[Dim, ...]:
        """The shape of one number for each window and channel."""
        return (x.type.shape[0], *self.sizes, x.type.shape[-1])


def windows_of(
    c: TensorflowContext,
    x: Value,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    padding: Padding,
) -> Windows:
    """The windows over all axes between the first and the last."""
    inner = x.type.shape[1:-1]
    sizes, _ = window_outputs(inner, window, strides, dilations, padding)
    pads = explicit_padding(padding, inner, window, strides, dilations)
    return Windows(window, strides, dilations, pads, tuple(sizes))


def padded(c: TensorflowContext, x: Value, windows: Windows, value: float) -> Value:
    """`x` with what the windows reach beyond it."""
    if all(pair == (0, 0) for pair in windows.pads):
        return x
    return c.b.pad(x, pads=((0, 0), *windows.pads, (0, 0)), value=value)


def shifted(c: TensorflowContext, source: Value, windows: Windows, offset: tuple[int, ...]) -> Value:
    """The elements at one position of every window of a padded tensor."""
    starts = tuple(o * d for o, d in zip(offset, windows.dilations, strict=True))
    stops = tuple(b + (n - 1) * s + 1 for b, n, s in zip(starts, windows.sizes, windows.strides, strict=True))
    axes = tuple(range(1, 1 + len(offset)))
    return c.b.slice(source, axes=axes, starts=starts, stops=stops, steps=windows.strides)
