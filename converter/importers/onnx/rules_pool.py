"""Pooling."""

from __future__ import annotations

from typing import Any

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_conv import check_same, padding, per_axis
from converter.importers.onnx.table import rule
from ir.core import Value
from ir.types import Shape, dtypes, numel


def window_of(c: OnnxContext, x: Value | None = None) -> dict[str, Any]:
    """What windows are, over the first operand or a value that stands for it channels first."""
    spatial = c.rank() - 2
    dilations = per_axis(c, "dilations", spatial, 1) if "dilations" in c.schema.attributes else (1,) * spatial
    if c.attr("auto_pad").startswith("SAME") and any(d != 1 for d in dilations):
        c.refuse("auto_pad with dilations is not done alike by the runtimes")
    window, strides = per_axis(c, "kernel_shape", spatial), per_axis(c, "strides", spatial, 1)
    check_same(c, window, strides, dilations, None if x is None else x.type.shape[2:])
    ceil_mode = bool(c.attr("ceil_mode")) if "ceil_mode" in c.schema.attributes else False
    return {
        "window": window, "strides": strides, "padding": padding(c, spatial), "dilations": dilations, "ceil_mode": ceil_mode,
    }  # fmt: skip


@rule("MaxPool", 1, 8, 10, 11, 12, 22)
def max_pool(c: OnnxContext) -> Any:
    """A last window that would start in the trailing padding does not count (version 22 says so, runtimes agree)."""
    if not c.used(1):
        if "storage_order" in c.schema.attributes:
            c.ignore("storage_order")  # orders the indices only
        return c.b.max_pool(c.x(), **window_of(c))
    values, positions = c.b.max_pool_with_positions(c.x(), **window_of(c))
    if c.only("storage_order", 0, 1):
        positions = _by_columns(c, positions, c.type().shape[2:])
    return values, c.b.add(positions, _planes(c, c.type().shape))


def _planes(c: OnnxContext, shape: Shape) -> Value:
    """Where the plane of each sample and channel begins in the whole tensor."""
    b, lead = c.b, shape[:2]
    count = b.arange(start=0, stop=numel(lead), step=1, dtype=dtypes.int64)
    first = b.mul(count, b.dim(size=numel(shape[2:])))
    return b.reshape(first, shape=(*lead, *(1,) * (len(shape) - 2)))


def _by_columns(c: OnnxContext, positions: Value, sizes: Shape) -> Value:
    """Positions in row-major order as those in column-major order: the first axis runs fastest."""
    b, rest = c.b, positions
    total: Value | None = None
    for axis in reversed(range(len(sizes))):
        size = b.dim(size=sizes[axis])
        own = b.mul(b.mod(rest, size), b.dim(size=numel(sizes[:axis])))
        total = own if total is None else b.add(total, own)
        rest = b.floor_div(rest, size)
    assert total is not None
    return total


@rule("MaxUnpool", 9, 11, 22)
def max_unpool(c: OnnxContext) -> Value:
    """Zeros but for the values, each at its place in the whole tensor; a larger `output_shape` adds zeros behind."""
    b, x = c.b, c.x()
    spatial = c.rank() - 2
    window, strides = per_axis(c, "kernel_shape", spatial), per_axis(c, "strides", spatial, 1)
    pads = c.attr("pads") or [0] * (2 * spatial)
    if len(pads) != 2 * spatial:
        c.refuse(f"pads={pads} do not fit {spatial} spatial axes")
    sizes = [
        (n - 1) * s - before - after + w
        for n, s, w, before, after in zip(
            x.type.shape[2:], strides, window, pads[:spatial], pads[spatial:], strict=True
        )
    ]
    shape = (*x.type.shape[:2], *sizes)
    zeros = b.full(shape=(numel(shape),), value=0, dtype=x.type.dtype)
    flat = b.reshape(x, shape=(numel(x.type.shape),))
    places = b.reshape(c.x(1), shape=(numel(x.type.shape),))
    out = b.reshape(b.scatter_elements(zeros, places, flat, axis=0, bounds="error", neg="invalid"), shape=shape)
    if not c.has(2):
        return out
    wanted = c.dims(2, "the output shape")
    if len(wanted) != len(shape):
        c.refuse(f"an output shape {wanted} does not fit {x.type}")
    more = [n - d for n, d in zip(wanted, shape, strict=True)]
    if any(isinstance(m, int) and m < 0 for m in more):
        c.refuse(f"an output shape {wanted} below the {shape} of the windows is not defined")
    c.note("MaxUnpool: places count in the shape of the windows, as ONNX says; ONNX Runtime counts in output_shape")
    return b.pad(out, pads=tuple((0, m) for m in more))


@rule("AveragePool", 7, 10, 11, 19, 22)
def average_pool(c: OnnxContext, x: Value | None = None) -> Value:
    """Of the first operand, or of a value of its shape."""
    return c.b.avg_pool(c.x() if x is None else x, **window_of(c, x), include_pad=bool(c.attr("count_include_pad")))


@rule("LpPool", 2, 11, 18, 22)
def lp_pool(c: OnnxContext) -> Value:
    """(sum of |x| ** p) ** (1 / p) over each window."""
    total = c.b.avg_pool(_powered(c), **window_of(c), include_pad=True, divisor=1)
    return _rooted(c, total)


@rule("GlobalLpPool", 2, 22)
def global_lp_pool(c: OnnxContext) -> Value:
    return _rooted(c, c.b.reduce_sum(_powered(c), axes=_spatial(c), keepdims=True))


def _spatial(c: OnnxContext) -> tuple[int, ...]:
    """The axes behind batch and channels."""
    if c.rank() < 2:
        c.refuse(f"{c.type()} lacks a batch and channels")
    return tuple(range(2, c.rank()))


def _powered(c: OnnxContext) -> Value:
    p = c.attr("p")
    if p < 1:
        c.refuse(f"p={p} is not defined")
    if p == 2:
        return c.b.square(c.x())
    return c.b.abs(c.x()) if p == 1 else c.b.pow(c.b.abs(c.x()), float(p))


def _rooted(c: OnnxContext, total: Value) -> Value:
    p = c.attr("p")
    if p == 2:
        return c.b.sqrt(total)
    return total if p == 1 else c.b.pow(total, 1 / p)


@rule("GlobalAveragePool", 1, 22)
def global_average_pool(c: OnnxContext) -> Value:
    axes = _spatial(c)
    if 1 <= len(axes) <= 3:
        return c.b.adaptive_avg_pool(c.x(), output_size=(1,) * len(axes))
    return c.b.reduce_mean(c.x(), axes=axes, keepdims=True)


@rule("GlobalMaxPool", 1, 22)
def global_max_pool(c: OnnxContext) -> Value:
    axes = _spatial(c)
    if 1 <= len(axes) <= 3:
        return c.b.adaptive_max_pool(c.x(), output_size=(1,) * len(axes))
    return c.b.reduce_max(c.x(), axes=axes, keepdims=True)
