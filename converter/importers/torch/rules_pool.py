"""ATen pooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.torch.context import Call, TorchContext, is_static, rule
from ir.core import Value


def _unbatched(c: TorchContext, a: Call, spatial: int) -> tuple[Value, bool]:
    x = a.value("self")
    if x.type.rank == spatial + 1:
        return c.b.unsqueeze(x, axes=(0,)), True
    return x, False


def _window(a: Call, spatial: int) -> dict[str, Any]:
    window = a.ints("kernel_size", spatial)
    return {
        "window": window,
        "strides": a.ints("stride", spatial) or window,
        "padding": tuple((p, p) for p in a.ints("padding", spatial)),
        "ceil_mode": a.lit("ceil_mode"),
    }


def _spatial(a: Call) -> int:
    return int(str(a.node.target).split("pool")[1][0])


@rule(
    "aten.max_pool1d.default", "aten.max_pool2d.default", "aten.max_pool3d.default",
    "aten.max_pool2d_with_indices.default", "aten.max_pool3d_with_indices.default", "aten.max_pool1d_with_indices.default",
)  # fmt: skip
def max_pool(c: TorchContext, a: Call) -> Value | list[Value | None]:
    spatial = _spatial(a)
    x, added = _unbatched(c, a, spatial)
    out = c.b.max_pool(x, dilations=a.ints("dilation", spatial), **_window(a, spatial))
    out = c.b.squeeze(out, axes=(0,)) if added else out
    if "with_indices" not in str(a.node.target):
        return out
    return [out, _window_positions(c, a, x, spatial, added)]


@rule("aten.avg_pool1d.default", "aten.avg_pool2d.default", "aten.avg_pool3d.default")
def avg_pool(c: TorchContext, a: Call) -> Value:
    spatial = _spatial(a)
    x, added = _unbatched(c, a, spatial)
    divisor = a.lit("divisor_override") if a.has("divisor_override") else None
    out = c.b.avg_pool(x, include_pad=a.lit("count_include_pad"), divisor=divisor, **_window(a, spatial))
    return c.b.squeeze(out, axes=(0,)) if added else out


@rule(
    "aten.adaptive_avg_pool1d.default", "aten.adaptive_avg_pool2d.default", "aten.adaptive_avg_pool3d.default",
    "aten._adaptive_avg_pool2d.default", "aten._adaptive_avg_pool3d.default",
)  # fmt: skip
def adaptive_avg_pool(c: TorchContext, a: Call) -> Value:
    return _adaptive(c, a, "adaptive_avg_pool")


@rule("aten.adaptive_max_pool1d.default", "aten.adaptive_max_pool2d.default", "aten.adaptive_max_pool3d.default")
def adaptive_max_pool(c: TorchContext, a: Call) -> list[Value | None]:
    out = _adaptive(c, a, "adaptive_max_pool")
    spatial = _spatial(a)
    x, added = _unbatched(c, a, spatial)
    sizes, given = a.dims("output_size"), x.type.shape[2:]
    if not is_static(x.type.shape) or not is_static(sizes):
        return [out, None]
    known = [(n, m) for n, m in zip(given, sizes, strict=True) if isinstance(n, int) and isinstance(m, int)]
    spans = [[(i * n // m, -(-(i + 1) * n // m)) for i in range(m)] for n, m in known]
    return [out, _positions(c, x, [_windows(s) for s in spans], added)]


def _windows(spans: list[tuple[int, int]]) -> np.ndarray:
    """Positions along one axis, [windows, longest], -1 where a window is shorter."""
    longest = max((stop - start for start, stop in spans), default=0)
    rows = [[*range(start, stop), *[-1] * (longest - stop + start)] for start, stop in spans]
    return np.array(rows, np.int64).reshape(len(spans), longest)


def _window_positions(c: TorchContext, a: Call, x: Value, spatial: int, added: bool) -> Value | None:
    """Where the largest elements of pooling windows lie; None where sizes are symbolic."""
    if not is_static(x.type.shape):
        return None
    window, dilations = _window(a, spatial), a.ints("dilation", spatial)
    counts = a.meta[0].shape[-spatial:]
    axes = []
    for i, (n, count) in enumerate(zip(x.type.shape[2:], counts, strict=True)):
        starts = np.arange(count)[:, None] * window["strides"][i] - window["padding"][i][0]
        places = starts + np.arange(window["window"][i]) * dilations[i]
        axes.append(np.where((places >= 0) & (places < n), places, -1))
    return _positions(c, x, axes, added)


def _positions(c: TorchContext, x: Value, windows: list[np.ndarray], added: bool) -> Value:
    """Positions in row order of the largest element of each window, the first of equals.

    `windows` holds for each axis the positions [windows, width], -1 for none.
    """
    count, shape = len(windows), [d for d in x.type.shape if isinstance(d, int)]
    flat, valid = np.zeros((), np.int64), np.ones((), np.bool_)
    for i, places in enumerate(windows):
        form = [1] * (2 * count)
        form[i], form[count + i] = places.shape
        flat = flat * shape[2 + i] + places.reshape(form)
        valid = valid & (places >= 0).reshape(form)
    cells, width = flat.shape[:count], int(np.prod(flat.shape[count:]))
    cell, inside = flat.reshape(-1, width), valid.reshape(-1, width)
    first = np.where(inside, cell, np.iinfo(np.int64).max).min(axis=1, keepdims=True)  # of windows of -inf alone
    table = np.where(inside, cell, first)
    rows = c.b.gather(c.b.reshape(x, shape=(*shape[:2], int(np.prod(shape[2:])))), c.b.constant(table), axis=2)
    lowest = c.constant(float("-inf") if x.type.dtype.is_float else int(x.type.dtype.min), x.type.dtype)
    rows = c.b.where(c.b.constant(inside), rows, lowest)
    best = c.b.argmax(rows, axis=3, keepdims=True)
    tables = c.b.expand(c.b.constant(table), shape=(*shape[:2], *table.shape))
    out = c.b.reshape(c.b.gather_elements(tables, best, axis=3), shape=(*shape[:2], *cells))
    return c.b.squeeze(out, axes=(0,)) if added else out


def _adaptive(c: TorchContext, a: Call, op: str) -> Value:
    """A size that torch took from the input (None in `nn.AdaptiveAvgPool2d`) stays that of the input."""
    spatial = _spatial(a)
    x, added = _unbatched(c, a, spatial)
    sizes = a.dims("output_size")
    kept = tuple(None if not isinstance(s, int) and s == d else s for s, d in zip(sizes, x.type.shape[2:], strict=True))
    if any(not (s is None or isinstance(s, int)) for s in kept):
        c.refuse("an output size that depends on the input's size")
    out = getattr(c.b, op)(x, output_size=kept)
    return c.b.squeeze(out, axes=(0,)) if added else out
