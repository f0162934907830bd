"""ATen pooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.torch.context import Call, TorchContext, is_static, rule
from ir.core import Value
from ir.ops.pool_positions import largest_positions


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
    attrs = {"dilations": a.ints("dilation", spatial), **_window(a, spatial)}
    told = "with_indices" in str(a.node.target)
    results = c.b.max_pool_with_positions(x, **attrs) if told else (c.b.max_pool(x, **attrs),)
    out: list[Value | None] = [c.b.squeeze(r, axes=(0,)) if added else r for r in results]
    return out if told else out[0]  # type: ignore[return-value]


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
    if not is_static(x.type.shape) or not is_static(sizes) or 0 in sizes:
        return [out, None]
    known = [(int(n), int(m)) for n, m in zip(given, sizes, strict=True)]
    spans = [[(i * n // m, -(-(i + 1) * n // m)) for i in range(m)] for n, m in known]
    positions = largest_positions(c.b, x, [_windows(s) for s in spans])
    return [out, c.b.squeeze(positions, axes=(0,)) if added else positions]


def _windows(spans: list[tuple[int, int]]) -> np.ndarray:
    """Positions along one axis, [windows, longest], -1 where a window is shorter."""
    longest = max(stop - start for start, stop in spans)
    rows = [[*range(start, stop), *[-1] * (longest - stop + start)] for start, stop in spans]
    return np.array(rows, np.int64).reshape(len(spans), longest)


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
