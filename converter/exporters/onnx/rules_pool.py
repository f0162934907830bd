"""Pooling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.layout import channels_first
from converter.exporters.onnx.rules_conv import is_known, onnx_pads
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Node, Value
from ir.ops.axes import effective, spatial_sizes, window_outputs
from ir.ops.pool import has_empty_windows, window_counts
from ir.ops.slicing import slice_attrs
from ir.types import Dim, DimExpr, dtypes, numel


# -- windows --------------------------------------------------------------------------------------------------------
def _settled(node: Node) -> tuple[tuple[Dim, ...], Any, Any]:
    """Output sizes, pads as pairs, and the same pads with what a last partial window hangs over added behind.

    Windows then fit without `ceil_mode`, whose meaning differs between versions of ONNX.
    """
    x, a = node.operand("x"), node.attrs
    sizes = spatial_sizes(x.type.shape, "channels_first")
    window, dilations = a["window"], a["dilations"] or (1,) * len(a["window"])
    outs, pads = window_outputs(sizes, window, a["strides"], dilations, a["padding"], a["ceil_mode"])
    grown = []
    for size, out, w, s, d, (before, after) in zip(sizes, outs, window, a["strides"], dilations, pads):
        need = (out - 1) * s + effective(w, d) - size - before
        grown.append((before, max(need, after) if isinstance(need, int) and isinstance(after, int) else need))
    return outs, pads, tuple(grown)


def _plain(node: Node) -> bool:
    """Whether ONNX's attributes say it as it is: pads that they hold, and no ceil mode."""
    a = node.attrs
    pads = ((0, 0),) * len(a["window"]) if a["padding"] == "valid" else a["padding"]
    return not a["ceil_mode"] and isinstance(pads, tuple) and _held(node, pads)


def _held(node: Node, pads: Any) -> bool:
    """Whether ONNX's attributes hold the pads: each smaller than the window, at no image of padding alone, where ONNX
    Runtime stops."""
    empty = 0 in node.operand("x").type.shape[2:]
    return not empty and is_known(pads) and all(max(pair) < w for pair, w in zip(pads, node.attrs["window"]))


@expand("max_pool")
def explicit_max_pool(b: Builder, node: Node, opset: int) -> Any:
    out = channels_first(b, node)
    if out is not None or _plain(node):
        return out
    x, a = node.operand("x"), node.attrs
    _, _, pads = _settled(node)
    plain = {**a, "ceil_mode": False}
    if _held(node, pads):
        return b.max_pool(x, **{**plain, "padding": pads})
    kind = x.type.dtype
    lowest = -math.inf if kind.is_float else kind.min
    return b.max_pool(b.pad(x, pads=((0, 0), (0, 0), *pads), value=lowest), **{**plain, "padding": "valid"})


NAN = "max pooling in ONNX Runtime passes over NaN, which the source hands on, and may give the lowest number for windows of -inf"


@rule("max_pool")
def max_pool(c: Context, node: Node) -> Tensor:
    a = node.attrs
    if node.operand("x").type.dtype.is_float:
        c.note(NAN)
    pads = ((0, 0),) * len(a["window"]) if a["padding"] == "valid" else a["padding"]
    return c.op(
        "MaxPool", c.x(node, "x"), kernel_shape=list(a["window"]), strides=list(a["strides"]), pads=onnx_pads(pads),
        dilations=list(a["dilations"]),
    )  # fmt: skip


@expand("max_pool_with_positions")
def explicit_positions(b: Builder, node: Node, opset: int) -> Any:
    """Pads that ONNX's attributes hold; ONNX Runtime finds the first of equals, as the op does."""
    x, a = node.operand("x"), node.attrs
    if _plain(node):
        return None
    _, _, pads = _settled(node)
    if _held(node, pads):
        return b.max_pool_with_positions(x, **{**a, "ceil_mode": False, "padding": pads})
    return None


def _positions_accepts(node: Node) -> str | None:
    kind = node.operand("x").type.dtype
    if not _plain(node) or 0 in node.operand("x").type.shape:
        return "ONNX's MaxPool has no such windows"
    if has_empty_windows(node.operand("x").type.shape, **node.attrs):
        return "ONNX Runtime tells negative positions where a window is padding alone"
    return None if kind.is_float or kind.bits == 8 else "ONNX Runtime's MaxPool tells no positions among wider integers"


@rule("max_pool_with_positions", accepts=_positions_accepts)
def max_pool_with_positions(c: Context, node: Node) -> list[Tensor]:
    """ONNX counts positions over batch and channels too."""
    a, x = node.attrs, node.operand("x").type
    pads = ((0, 0),) * len(a["window"]) if a["padding"] == "valid" else a["padding"]
    if x.dtype.is_float:
        c.note(NAN)
    values, positions = c.op(
        "MaxPool", c.x(node, "x"), kernel_shape=list(a["window"]), strides=list(a["strides"]), pads=onnx_pads(pads),
        dilations=list(a["dilations"]), outputs=2,
    )  # fmt: skip
    return [values, c.op("Mod", positions, c.sizes.scalar(numel(x.shape[2:])))]


def dilated(node: Node) -> bool:
    """Whether the window of an average pooling has gaps."""
    return any(d != 1 for d in node.attrs["dilations"])


@expand("avg_pool")
def explicit_avg_pool(b: Builder, node: Node, opset: int) -> Any:
    """Sums over a padded input, divided by how many elements count; plain windows stay AveragePool."""
    out = channels_first(b, node)
    a, x = node.attrs, node.operand("x")
    if out is not None:
        return out
    if _plain(node) and a["divisor"] is None and (opset >= 19 or not dilated(node)):
        return None
    if dilated(node) and opset < 19:
        raise NotImplementedError("average pooling with dilations needs opset 19")
    outs, pads, grown = _settled(node)
    sizes = spatial_sizes(x.type.shape, "channels_first")
    padded = b.pad(x, pads=((0, 0), (0, 0), *grown))
    mean = b.avg_pool(padded, window=a["window"], strides=a["strides"], dilations=a["dilations"])
    full = math.prod(a["window"])
    if a["divisor"] is not None:
        return b.mul(mean, full / a["divisor"])
    if any(isinstance(d, DimExpr) for d in (*sizes, *outs)):
        if a["ceil_mode"] or not a["include_pad"] or isinstance(a["padding"], str):
            return _symbolic_average(b, node, mean, grown)
        return mean
    dilations = a["dilations"] or (1,) * len(a["window"])
    counts = window_counts(sizes, outs, a["window"], a["strides"], dilations, pads, a["include_pad"])  # type: ignore[arg-type]
    return mean if (counts == full).all() else b.mul(mean, b.constant(full / counts, x.type.dtype))


def _symbolic_average(b: Builder, node: Node, mean: Value, grown: Any) -> Value:
    """The mean over what counts: the same pooling of ones tells which part of each window that is."""
    x, a = node.operand("x"), node.attrs
    _, pads, _ = _settled(node)
    ones = b.full(shape=(1, 1, *spatial_sizes(x.type.shape, "channels_first")), value=1, dtype=x.type.dtype)
    inner = pads if a["include_pad"] else ((0, 0),) * len(pads)
    ones = b.pad(ones, pads=((0, 0), (0, 0), *inner), value=1)
    rest = tuple((before - i, after - j) for (before, after), (i, j) in zip(grown, inner))
    ones = b.pad(ones, pads=((0, 0), (0, 0), *rest))
    share = b.avg_pool(ones, window=a["window"], strides=a["strides"], dilations=a["dilations"])
    return b.div(mean, share)


@rule("avg_pool")
def avg_pool(c: Context, node: Node) -> Tensor:
    a = node.attrs
    pads = ((0, 0),) * len(a["window"]) if a["padding"] == "valid" else a["padding"]
    dilations = list(a["dilations"]) if dilated(node) else None
    return c.op(
        "AveragePool", c.x(node, "x"), kernel_shape=list(a["window"]), strides=list(a["strides"]), pads=onnx_pads(pads),
        count_include_pad=int(a["include_pad"]), dilations=dilations,
    )  # fmt: skip


# -- adaptive -------------------------------------------------------------------------------------------------------
def is_global(node: Node) -> str | None:
    """Pooling to one element an axis, channels first, is GlobalAveragePool."""
    x = node.operand("x").type
    plain = node.attrs["layout"] == "channels_first" and set(node.attrs["output_size"]) == {1} and 0 not in x.shape
    return None if plain else "its windows are not the whole axes"


@rule("adaptive_avg_pool", accepts=is_global)
def global_average(c: Context, node: Node) -> Tensor:
    return c.op("GlobalAveragePool", c.x(node, "x"))


@expand("adaptive_avg_pool", "adaptive_max_pool")
def adaptive(b: Builder, node: Node, opset: int) -> Any:
    """Windows of different sizes: a matrix of averages along each axis, or the maximum over gathered windows."""
    out = channels_first(b, node)
    if out is not None:
        return out
    x, rank = node.operand("x"), node.operand("x").type.rank
    steps = [(axis, n) for axis, n in zip(range(2, rank), node.attrs["output_size"]) if n is not None and n != 1]
    uneven = [(a, n) for a, n in steps if not isinstance(x.type.shape[a], int) or not n or int(x.type.shape[a]) % n]
    if not uneven:
        return None
    if any(isinstance(x.type.shape[a], DimExpr) for a, _ in uneven):
        raise NotImplementedError("adaptive pooling of a symbolic size to more than one element has no ONNX form")
    average = node.op.name == "adaptive_avg_pool"
    done: list[int | None] = list(node.attrs["output_size"])
    for axis, n in uneven:
        size = int(x.type.shape[axis])
        x = along(b, x, axis, _averages(size, n)) if average else _window_maxima(b, x, axis, size, n)
        done[axis - 2] = None
    return x if all(n is None for n in done) else b.op(node.op, x, output_size=tuple(done))


def along(b: Builder, x: Value, axis: int, matrix: np.ndarray) -> Value:
    """The matrix [out, in] applied along an axis."""
    weights = b.constant(np.ascontiguousarray(matrix.T), x.type.dtype)
    if axis == x.type.rank - 2:
        return b.matmul(b.constant(matrix, x.type.dtype), x)
    perm = [*(a for a in range(x.type.rank) if a != axis), axis]
    out = b.matmul(b.transpose(x, perm=tuple(perm)), weights)
    return b.transpose(out, perm=tuple(int(a) for a in np.argsort(perm)))


def _windows(size: int, n: int) -> list[range]:
    return [range(i * size // n, -(-(i + 1) * size // n)) for i in range(n)]


def _averages(size: int, n: int) -> np.ndarray:
    matrix = np.zeros((n, size))
    for i, window in enumerate(_windows(size, n)):
        matrix[i, window.start : window.stop] = 1 / len(window)
    return matrix


def _window_maxima(b: Builder, x: Value, axis: int, size: int, n: int) -> Value:
    """Halves of windows against each other, since Max hands on NaN; each is as long as a power of two, its end repeated."""
    windows = _windows(size, n)
    width = 1 << (max((len(w) for w in windows), default=1) - 1).bit_length()
    index = np.array([[w[min(k, len(w) - 1)] for k in range(width)] for w in windows], np.int64).reshape(n, width)
    read = b.gather(x, b.constant(index, dtypes.int64), axis=axis)
    while width > 1:
        width //= 2
        halves = (slice_attrs(axis + 1, 0, width, 1), slice_attrs(axis + 1, width, None, 1))
        read = b.maximum(*(b.slice(read, **half) for half in halves))
    return b.squeeze(read, axes=(axis + 1,))
