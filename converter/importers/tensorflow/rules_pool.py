"""Pooling, and the windows of images and volumes as vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from converter.importers.tensorflow.windows import LAYOUTS, padded, padding_of, spatial_of, spatial_part, windows_of
from converter.policies import MAX_POOL_NAN
from ir.core import Value
from ir.ops.axes import Layout
from ir.types import DType, dtypes


def _layout(c: TensorflowContext) -> Layout:
    form = c.attr("data_format")
    if form not in LAYOUTS:
        c.refuse(f"data_format={form!r}")
    return LAYOUTS[form]


def _windows(c: TensorflowContext, layout: Layout, ksize: Sequence[int], strides: Sequence[int]) -> dict[str, Any]:
    """Settings that all poolings share."""
    rank = c.rank()
    window = spatial_part(c, ksize, "ksize", layout, rank)
    return {
        "window": window, "strides": spatial_part(c, strides, "strides", layout, rank), "dilations": (1,) * len(window),
        "padding": padding_of(c, layout, rank), "layout": layout,
    }  # fmt: skip


@rule("MaxPool", "MaxPool3D")
def max_pool(c: TensorflowContext) -> Value:
    layout = _layout(c)
    return _largest(c, _windows(c, layout, c.attr("ksize"), c.attr("strides")))


@rule("MaxPoolV2")
def max_pool_of_operands(c: TensorflowContext) -> Value:
    """Window and strides are operands."""
    layout = _layout(c)
    return _largest(c, _windows(c, layout, c.ints(1, "the window"), c.ints(2, "the stride")))


def _largest(c: TensorflowContext, settings: dict[str, Any]) -> Value:
    if c.type().dtype.is_float:
        c.note(MAX_POOL_NAN)
    return c.b.max_pool(c.x(), **settings)


@rule("AvgPool", "AvgPool3D")
def avg_pool(c: TensorflowContext) -> Value:
    """Padding does not count."""
    layout = _layout(c)
    return c.b.avg_pool(c.x(), **_windows(c, layout, c.attr("ksize"), c.attr("strides")), include_pad=False)


@rule("MaxPoolWithArgmax")
def max_pool_with_argmax(c: TensorflowContext) -> tuple[Value, Value]:
    """Positions count over rows, columns and channels, and with `include_batch_in_index` over samples, too."""
    settings = _windows(c, "channels_last", c.attr("ksize"), c.attr("strides"))
    del settings["layout"]
    kind: DType = c.attr("Targmax")
    if c.type().dtype.is_float:
        c.note(MAX_POOL_NAN)
    n, h, w, channels = c.type().shape
    b, back = c.b, (0, 2, 3, 1)
    best, at = b.max_pool_with_positions(b.transpose(c.x(), perm=(0, 3, 1, 2)), **settings)
    at = b.mul(b.transpose(at, perm=back), b.dim(size=channels))
    at = b.add(at, b.arange(start=0, stop=channels, step=1, dtype=dtypes.int64))
    if c.attr("include_batch_in_index"):
        first = b.mul(b.arange(start=0, stop=n, step=1, dtype=dtypes.int64), b.dim(size=h * w * channels))
        at = b.add(at, b.reshape(first, shape=(n, 1, 1, 1)))
    return b.transpose(best, perm=back), c.cast(at, kind)


# -- windows as vectors -------------------------------------------------------------------------------------------------
@rule("ExtractImagePatches")
def image_patches(c: TensorflowContext) -> Value:
    """Rows, then columns, then channels of each window."""
    rates = spatial_of(c, "rates", "channels_last", 4)
    return _patches(c, rates)


@rule("ExtractVolumePatches")
def volume_patches(c: TensorflowContext) -> Value:
    """Planes, then rows, columns and channels of each window."""
    return _patches(c, (1, 1, 1))


def _patches(c: TensorflowContext, rates: tuple[int, ...]) -> Value:
    b, x, rank = c.b, c.x(), c.rank()
    window, strides = (spatial_of(c, name, "channels_last", rank) for name in ("ksizes", "strides"))
    windows = windows_of(c, x, window, strides, rates, padding_of(c, "channels_last", rank))
    out = padded(c, x, windows, 0)
    count = len(window)
    for i, (size, step, rate) in enumerate(zip(window, strides, rates, strict=True)):
        out = b.unfold(out, axis=1 + i, size=(size - 1) * rate + 1, step=step)
        if rate > 1:
            out = b.slice(out, axes=(-1,), starts=(None,), stops=(None,), steps=(rate,))
    inner = range(count + 2, 2 * count + 2)
    out = b.transpose(out, perm=(*range(count + 1), *inner, count + 1))
    each = x.type.shape[-1]
    for size in window:
        each = each * size
    return b.reshape(out, shape=(x.type.shape[0], *windows.sizes, each))
