"""The bounds of a slice, read alike where it is imported and where it is folded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ir.types import Dim, dim_max, normalize_axes

if TYPE_CHECKING:
    from converter.importers.onnx.context import OnnxContext

_FAR = 2**31 - 1
"""Bounds this far out mean an open end, in 32 and in 64 bits."""


def slice_arguments(c: OnnxContext) -> tuple[Any, Any, Any, Any]:
    """Axes, starts, stops and steps by Python's rules, None for an open end."""
    starts: tuple[Any, ...]
    stops: tuple[Any, ...]
    if c.version < 10:
        starts, stops, axes = tuple(c.attr("starts")), tuple(c.attr("ends")), c.attr("axes")
        steps = (1,) * len(starts)
    else:
        starts, stops = c.dims(1, "starts"), c.dims(2, "ends")
        axes = c.ints(3, "the axes input") if c.has(3) else None
        steps = c.ints(4, "steps") if c.has(4) else (1,) * len(starts)
    axes = tuple(range(len(starts))) if axes is None else normalize_axes(axes, c.rank())
    if not len(starts) == len(stops) == len(axes) == len(steps):
        c.refuse(
            f"{len(axes)} axes, {len(starts)} starts, {len(stops)} ends and {len(steps)} steps do not fit together"
        )
    sizes = [c.type().shape[a] for a in axes]
    opened = [_open(c, *bounds) for bounds in zip(starts, stops, steps, sizes, strict=True)]
    return axes, tuple(a for a, _ in opened), tuple(b for _, b in opened), steps


def _open(c: OnnxContext, start: Any, stop: Any, step: int, size: Dim) -> tuple[Any, Any]:
    """Far bounds as open ends. Backwards, a start before the first element means the first one, unlike in Python."""
    if step > 0:
        return start, None if isinstance(stop, int) and stop >= _FAR else stop
    if isinstance(stop, int) and stop >= _FAR:
        c.refuse("slicing backwards to a far positive end is not done alike by the runtimes")
    if isinstance(start, int) and start >= _FAR:
        start = None
    elif isinstance(start, int) and start < -1:
        start = 0 if start <= -_FAR else dim_max(size + start, 0)
    return start, None if isinstance(stop, int) and stop <= -_FAR else stop
