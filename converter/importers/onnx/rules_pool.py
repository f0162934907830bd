"""Pooling."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_conv import check_same, padding, per_axis
from converter.importers.onnx.table import rule
from ir.core import Value


def _window(c: OnnxContext) -> dict[str, object]:
    spatial = c.rank() - 2
    dilations = per_axis(c, "dilations", spatial, 1) if "dilations" in c.schema.attributes else (1,) * spatial
    if c.attr("auto_pad").startswith("SAME") and any(d != 1 for d in dilations):
        c.refuse("auto_pad with dilations is not done alike by the runtimes")
    window, strides = per_axis(c, "kernel_shape", spatial, 1), per_axis(c, "strides", spatial, 1)
    check_same(c, window, strides, dilations)
    ceil_mode = bool(c.attr("ceil_mode")) if "ceil_mode" in c.schema.attributes else False
    return {
        "window": window, "strides": strides, "padding": padding(c, spatial), "dilations": dilations, "ceil_mode": ceil_mode,
    }  # fmt: skip


@rule("MaxPool", 1, 8, 10, 11, 12, 22)
def max_pool(c: OnnxContext) -> Value:
    """A last window that would start in the trailing padding does not count (version 22 says so, runtimes agree)."""
    c.no_output(1, "Indices")
    if "storage_order" in c.schema.attributes:
        c.ignore("storage_order")  # orders the indices only
    return c.b.max_pool(c.x(), **_window(c))


@rule("AveragePool", 7, 10, 11, 19, 22)
def average_pool(c: OnnxContext, x: Value | None = None) -> Value:
    """Of the first operand, or of a value of its shape."""
    return c.b.avg_pool(c.x() if x is None else x, **_window(c), include_pad=bool(c.attr("count_include_pad")))


@rule("LpPool", 2, 11, 18, 22)
def lp_pool(c: OnnxContext) -> Value:
    """(sum of |x| ** p) ** (1 / p) over each window."""
    total = c.b.avg_pool(_powered(c), **_window(c), include_pad=True, divisor=1)
    return _rooted(c, total)


@rule("GlobalLpPool", 2, 22)
def global_lp_pool(c: OnnxContext) -> Value:
    total = c.b.reduce_sum(_powered(c), axes=tuple(range(2, c.rank())), keepdims=True)
    return _rooted(c, total)


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
    rank = c.rank()
    if 3 <= rank <= 5:
        return c.b.adaptive_avg_pool(c.x(), output_size=(1,) * (rank - 2))
    return c.b.reduce_mean(c.x(), axes=tuple(range(2, rank)), keepdims=True)


@rule("GlobalMaxPool", 1, 22)
def global_max_pool(c: OnnxContext) -> Value:
    rank = c.rank()
    if 3 <= rank <= 5:
        return c.b.adaptive_max_pool(c.x(), output_size=(1,) * (rank - 2))
    return c.b.reduce_max(c.x(), axes=tuple(range(2, rank)), keepdims=True)
