"""Pooling: the maximum or mean of a sliding window, or of as many windows as the output shall have elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ir.ops.axes import (
    Layout,
    Padding,
    Pairs,
    check_window,
    concrete_windows,
    from_channels_first,
    pad_spatial,
    require_spatial,
    spatial_axes,
    spatial_shape,
    spatial_sizes,
    to_channels_first,
    window_index,
    window_outputs,
)
from ir.ops.axes import channel_axis as channels_of
from ir.ops.pool_positions import largest_positions, window_places, window_starts, window_table
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import Shape, TensorType, dtype, dtypes


def _infer_window(
    name: str,
    x: TensorType,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Padding,
    dilations: tuple[int, ...],
    ceil_mode: bool,
    layout: Layout,
) -> TensorType:
    spatial = require_spatial(x.shape, name)
    check_window(name, spatial, window=window, strides=strides, dilations=dilations)
    if isinstance(padding, tuple):
        for (before, after), w, d in zip(padding, window, dilations):
            if max(before, after) > (w - 1) * d:
                raise ValueError(f"{name}: padding {padding} leaves windows {window} without any input")
    sizes, _ = window_outputs(spatial_sizes(x.shape, layout), window, strides, dilations, padding, ceil_mode)
    return x.with_shape(spatial_shape(x.shape[0], x.shape[channels_of(layout, x.rank)], sizes, layout))


def _slide(
    xs: np.ndarray, fill: Any, combine: Callable[..., np.ndarray], window: Sequence[int], strides: Sequence[int], padding: Padding,
    dilations: Sequence[int], ceil_mode: bool,
) -> tuple[np.ndarray, tuple[int, ...], Pairs]:  # fmt: skip
    """Fold `combine` over the window elements of a channels-first array; also the output sizes and the pads."""
    in_sizes = xs.shape[2:]
    sizes, pads = concrete_windows(in_sizes, window, strides, dilations, padding, ceil_mode)
    reach = tuple((before, after + s) for (before, after), s in zip(pads, strides)) if ceil_mode else pads
    padded = pad_spatial(xs, reach, fill)  # the last window hangs over by less than a stride
    out: np.ndarray | None = None
    for offset in np.ndindex(*window):
        part = padded[window_index(offset, sizes, strides, dilations)]
        out = part.copy() if out is None else combine(out, part, out=out)
    assert out is not None  # a window has at least one element
    return out, sizes, pads


@op
class MaxPool:
    """The maximum over each window; NaN propagates, padding never wins (torch.nn.functional.max_pool*d).

    `ceil_mode` keeps a last partial window unless it would start behind the input and its leading padding.
    """

    inputs = ("x: real",)
    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: Padding = "valid"
    dilations: tuple[int, ...]
    ceil_mode: bool = False
    layout: Layout = "channels_first"

    @staticmethod
    def infer(
        x: TensorType, window: tuple[int, ...], strides: tuple[int, ...], padding: Padding, dilations: tuple[int, ...],
        ceil_mode: bool, layout: Layout,
    ) -> TensorType:  # fmt: skip
        return _infer_window("max_pool", x, window, strides, padding, dilations, ceil_mode, layout)

    @staticmethod
    def evaluate(
        x: np.ndarray, window: tuple[int, ...], strides: tuple[int, ...], padding: Padding, dilations: tuple[int, ...],
        ceil_mode: bool, layout: Layout,
    ) -> np.ndarray:  # fmt: skip
        kind = dtype(x.dtype)
        lowest = -np.inf if kind.is_float else kind.min
        out, _, _ = _slide(
            to_channels_first(x, layout), lowest, np.maximum, window, strides, padding, dilations, ceil_mode
        )
        return from_channels_first(out, layout)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for attrs, shape, dynamic in _window_samples():
            yield s.case(s.floats(*shape), dynamic=dynamic, **{"dilations": (1,) * (len(shape) - 2), **attrs})
        for padding in ("valid", ((1, 1), (0, 1))):
            for ceil_mode in (False, True):
                yield s.case(
                    s.floats(2, 3, 9, 8),
                    window=(3, 2),
                    strides=(2, 2),
                    padding=padding,
                    dilations=(2, 3),
                    ceil_mode=ceil_mode,
                )
        yield s.case(
            s.floats(2, 3, 6, 6, edge=True), window=(3, 3), strides=(1, 2), padding=((1, 1), (1, 1)), dilations=(1, 1)
        )
        for wide in (2, 3):
            yield s.case(s.floats(1, 2, 9), window=(3,), strides=(1,), padding=((wide, wide),), dilations=(2,))
        yield s.case(s.floats(1, 2, 5), window=(2,), strides=(1,), padding=((1, 1),), dilations=(1,))
        for wide in (2, 3):
            attrs = {"window": (3, 1), "strides": (1, 1), "padding": ((wide, wide), (0, 0)), "dilations": (2, 1)}
            yield s.case(s.floats(1, 2, 9, 2), **attrs)
        yield s.case(s.ints(2, 3, 6), window=(2,), strides=(2,), padding=((1, 0),), dilations=(1,))
        yield s.case(
            s.ints(2, 5, 5, 3, low=0, high=200, dtype=dtypes.uint8),
            window=(3, 3),
            strides=(2, 2),
            padding="same_upper",
            dilations=(1, 1),
            layout="channels_last",
        )
        yield s.case(
            s.floats(1, 1, 4),
            window=(2,),
            strides=(1,),
            padding=((2, 0),),
            dilations=(1,),
            error=ValueError,
            name="empty window",
        )
        yield s.case(
            s.floats(1, 1, 4), window=(5,), strides=(1,), dilations=(1,), error=ValueError, name="window too large"
        )


@op
class MaxPoolWithPositions:
    """`max_pool`, and where each maximum lies: int64 positions in row-major order over the spatial axes, the first of
    equals (torch's return_indices; ONNX's Indices within one plane). In a window with NaN, which NaN is left open.

    A window of padding alone tells where the search in it began, which may be beyond the last element, as PyTorch does.
    """

    inputs = ("x: real",)
    outputs = ("output", "positions")
    discontinuous = True
    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: Padding = "valid"
    dilations: tuple[int, ...]
    ceil_mode: bool = False

    @staticmethod
    def infer(x: TensorType, **attrs: Any) -> tuple[TensorType, TensorType]:
        out = _infer_window("max_pool_with_positions", x, **attrs, layout="channels_first")
        return out, out.with_dtype(dtypes.int64)

    @staticmethod
    def evaluate(x: np.ndarray, **attrs: Any) -> tuple[np.ndarray, np.ndarray]:
        table, _, cells = _positions_table(x.shape, **attrs)
        count = int(np.prod(x.shape[2:]))
        flat = x.reshape(*x.shape[:2], count)[:, :, np.where(table < count, table, 0)]
        best = flat.argmax(axis=3)
        positions = np.take_along_axis(np.broadcast_to(table, flat.shape), best[..., None], axis=3)
        return MaxPool.evaluate(x, **attrs, layout="channels_first"), positions.reshape(*x.shape[:2], *cells)

    @staticmethod
    def decompose(b: Any, x: Any, **attrs: Any) -> tuple[Any, Any]:
        if not all(isinstance(d, int) for d in x.type.shape[2:]):
            raise NotImplementedError("positions of the maxima over symbolic sizes")
        return b.max_pool(x, **attrs), largest_positions(b, x, *_places(x.type.shape, **attrs))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for attrs, shape, dynamic in _window_samples():
            if "layout" not in attrs:
                near = np.round(s.floats(*shape, low=-2.0, high=2.0))  # many are equal
                plain = attrs.get("padding", "valid") in ("valid", ((1, 1), (1, 1)))
                own = dynamic if plain else ((0, 0),)
                yield s.case(near, dynamic=own, **{"dilations": (1,) * (len(shape) - 2), **attrs})
        one: dict[str, Any] = {"window": (3, 2), "strides": (1, 2)}
        yield s.case(s.floats(2, 3, 8, 7), dilations=(2, 3), padding=((1, 0), (1, 1)), ceil_mode=True, **one)
        yield s.case(np.full_like(s.floats(1, 2, 4, 4), -np.inf), dilations=(1, 1), padding=((1, 1), (1, 1)), **one)
        yield s.case(s.ints(2, 3, 6), window=(2,), strides=(2,), padding=((1, 0),), dilations=(1,))
        lowest = np.full((1, 2, 4, 5), 0, np.uint8)
        yield s.case(lowest, dilations=(1, 1), padding=((1, 1), (1, 0)), **one)
        alone: dict[str, Any] = {"window": (1, 2), "strides": (1, 1), "dilations": (1, 4), "padding": ((0, 0), (1, 1))}
        yield s.case(s.ints(1, 2, 4, 3, dtype="int8"), name="padding alone", **alone)


def _places(
    shape: Sequence[Any], window: Any, strides: Any, padding: Any, dilations: Any, ceil_mode: bool
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of each axis the places of windows, and where their search begins."""
    sizes, pads = concrete_windows(shape[2:], window, strides, dilations, padding, ceil_mode)
    places = window_places(shape[2:], sizes, window, strides, dilations, pads)
    return places, window_starts(sizes, strides, dilations, pads)


def _positions_table(shape: Sequence[int], **attrs: Any) -> tuple[np.ndarray, np.ndarray, list[int]]:
    places, starts = _places(shape, **attrs)
    return *window_table(shape[2:], places, starts), [len(p) for p in places]


def has_empty_windows(shape: Sequence[Any], **attrs: Any) -> bool:
    """Whether windows over these sizes hold padding alone; False where the sizes are not known."""
    if not all(isinstance(d, int) for d in shape[2:]):
        return False
    return not bool(_positions_table(shape, **attrs)[1].any(axis=1).all())


@op
class AvgPool:
    """The mean over each window (torch.nn.functional.avg_pool*d).

    The divisor is the number of input elements in the window; with `include_pad` also of explicit padding (not of what
    `ceil_mode` lets hang over); `divisor` overrides it. Empty `dilations` are ones.
    """

    inputs = ("x: float",)
    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: Padding = "valid"
    dilations: tuple[int, ...] = ()
    ceil_mode: bool = False
    include_pad: bool = True
    divisor: int | None = None
    layout: Layout = "channels_first"

    @staticmethod
    def infer(
        x: TensorType, window: tuple[int, ...], strides: tuple[int, ...], padding: Padding, dilations: tuple[int, ...],
        ceil_mode: bool, include_pad: bool, divisor: int | None, layout: Layout,
    ) -> TensorType:  # fmt: skip
        if divisor == 0:
            raise ValueError("avg_pool: divisor must not be 0")
        return _infer_window(
            "avg_pool", x, window, strides, padding, dilations or (1,) * len(window), ceil_mode, layout
        )

    @staticmethod
    def evaluate(
        x: np.ndarray, window: tuple[int, ...], strides: tuple[int, ...], padding: Padding, dilations: tuple[int, ...],
        ceil_mode: bool, include_pad: bool, divisor: int | None, layout: Layout,
    ) -> np.ndarray:  # fmt: skip
        dilations = dilations or (1,) * len(window)
        xs = to_channels_first(x, layout)
        out, sizes, pads = _slide(xs, 0, np.add, window, strides, padding, dilations, ceil_mode)
        if divisor is not None:
            out /= divisor
        else:
            out /= window_counts(xs.shape[2:], sizes, window, strides, dilations, pads, include_pad).astype(x.dtype)
        return from_channels_first(out, layout)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for attrs, shape, dynamic in _window_samples():
            for include_pad in (True, False):
                yield s.case(s.floats(*shape), dynamic=dynamic, include_pad=include_pad, **attrs)
        for include_pad in (True, False):
            yield s.case(
                s.floats(2, 3, 9, 8),
                window=(3, 2),
                strides=(2, 2),
                padding=((1, 1), (0, 1)),
                dilations=(2, 3),
                include_pad=include_pad,
            )
        yield s.case(s.floats(2, 3, 7, 6), window=(3, 2), strides=(2, 1), padding=((1, 1), (1, 0)), divisor=5)
        yield s.case(
            s.floats(2, 7, 6, 3), window=(3, 2), strides=(2, 1), divisor=-2, ceil_mode=True, layout="channels_last"
        )
        yield s.case(s.floats(1, 2, 5, 5), window=(2, 2), strides=(1, 1), dilations=(2, 2))
        yield s.case(s.floats(1, 2, 5), window=(2,), strides=(1,), divisor=3)
        gaps: dict[str, Any] = {"window": (2, 3), "strides": (2, 2), "dilations": (3, 2), "name": "with gaps"}
        for include_pad in (True, False):
            wide: dict[str, Any] = {"padding": ((2, 1), (0, 3)), "include_pad": include_pad, "dynamic": ((0, 2), (0, 3))}
            yield s.case(s.floats(1, 2, 8, 7), **gaps, **wide)
            yield s.case(s.floats(1, 2, 8, 6), ceil_mode=True, **gaps, **wide)
        yield s.case(s.floats(1, 2, 8, 7), divisor=5, **gaps)
        yield s.case(s.floats(1, 1, 4), window=(2,), strides=(1,), divisor=0, error=ValueError, name="divisor 0")


def _window_samples() -> Iterator[tuple[dict[str, Any], tuple[int, ...], tuple[tuple[int, int], ...]]]:
    """Attributes, input shape and symbolic axes that both window pools are tried with."""
    last: dict[str, Any] = {"layout": "channels_last"}
    yield {"window": (3,), "strides": (2,)}, (2, 3, 8), ((0, 0), (0, 2))
    yield {"window": (2,), "strides": (3,), "padding": ((1, 0),), "ceil_mode": True}, (2, 3, 8), ((0, 2),)
    yield {"window": (3,), "strides": (2,), "padding": "causal"}, (2, 3, 8), ((0, 2),)
    for padding in ("valid", "same_upper", "same_lower", ((1, 1), (1, 1)), ((0, 1), (1, 0))):
        for ceil_mode in (False, True):
            yield (
                {"window": (3, 2), "strides": (2, 2), "padding": padding, "ceil_mode": ceil_mode},
                (2, 3, 7, 8),
                ((0, 0), (0, 2), (0, 3)),
            )
    yield {"window": (2, 2), "strides": (5, 4), "padding": ((1, 1), (1, 1)), "ceil_mode": True}, (1, 2, 8, 9), ((0, 3),)
    for padding in ("valid", "same_upper", ((1, 0), (0, 1))):
        yield (
            {"window": (3, 2), "strides": (2, 1), "padding": padding, "ceil_mode": True, **last},
            (2, 6, 5, 3),
            ((0, 0), (0, 1)),
        )
    yield {"window": (2, 3, 1), "strides": (1, 2, 2), "padding": ((1, 0), (1, 1), (0, 0))}, (1, 2, 4, 5, 3), ()
    yield {"window": (2, 2, 2), "strides": (2, 2, 2), "ceil_mode": True, **last}, (1, 3, 4, 5, 2), ()
    yield {"window": (2, 2), "strides": (2, 2)}, (0, 3, 4, 4), ()


def window_counts(
    in_sizes: Sequence[int], sizes: Sequence[int], window: Sequence[int], strides: Sequence[int], dilations: Sequence[int],
    pads: Pairs, include_pad: bool,
) -> np.ndarray:  # fmt: skip
    """How many elements each window averages: the product over the axes of what lies inside."""
    total = np.ones((), np.int64)
    for axis, (size, n, w, s, d, (before, after)) in enumerate(zip(in_sizes, sizes, window, strides, dilations, pads)):
        positions = np.arange(n)[:, None] * s + np.arange(w) * d - before
        low, high = (-before, size + after) if include_pad else (0, size)
        inside = ((positions >= low) & (positions < high)).sum(axis=1)
        total = total * inside.reshape([n if a == axis else 1 for a in range(len(sizes))])
    return total


def _infer_adaptive(name: str, x: TensorType, output_size: tuple[int | None, ...], layout: Layout) -> TensorType:
    spatial = require_spatial(x.shape, name)
    if len(output_size) != spatial or any(n is not None and n < 0 for n in output_size):
        raise ValueError(
            f"{name}: output_size {output_size} must have a size, or None, for each of {spatial} spatial axes"
        )
    sizes: Shape = tuple(have if n is None else n for n, have in zip(output_size, spatial_sizes(x.shape, layout)))
    for n, have in zip(sizes, spatial_sizes(x.shape, layout)):
        if have == 0 and n != 0:
            raise ValueError(f"{name}: no elements to pool over in {x}")
    return x.with_shape(spatial_shape(x.shape[0], x.shape[channels_of(layout, x.rank)], sizes, layout))


def adaptive_pool(
    x: np.ndarray, output_size: tuple[int | None, ...], layout: Layout, reduce: Callable[..., np.ndarray]
) -> np.ndarray:
    """Output i along an axis pools x[floor(i * in / out) : ceil((i + 1) * in / out)]; the axes are independent."""
    for axis, n in zip(spatial_axes(layout, x.ndim), output_size):
        size = x.shape[axis]
        if n is None or n == size:
            continue
        moved = np.moveaxis(x, axis, 0)
        parts = [reduce(moved[i * size // n : -(-(i + 1) * size // n)], axis=0) for i in range(n)]
        x = np.moveaxis(np.stack(parts) if parts else moved[:0], 0, axis)
    return np.ascontiguousarray(x)


def _adaptive_samples(s: Sampler) -> Iterator[Sample]:
    yield s.case(s.floats(2, 3, 7), output_size=(3,), dynamic=((0, 0), (0, 2)))
    for size in ((1, 1), (3, 2), (7, 5), (None, 1), (4, None), (9, 8)):
        yield s.case(s.floats(2, 3, 7, 5), output_size=size, dynamic=((0, 0), (0, 2)))
        yield s.case(s.floats(2, 7, 5, 3), output_size=size, layout="channels_last")
    yield s.case(s.floats(1, 2, 4, 5, 6), output_size=(2, 1, 4))
    yield s.case(s.floats(0, 2, 4, 4), output_size=(2, 2))
    yield s.case(s.floats(1, 2, 4, 3), output_size=(0, 2), name="no window")
    yield s.case(s.floats(1, 2, 4, 3), output_size=(1, 1), name="batch of one")
    yield s.case(s.floats(1, 2, 0, 4), output_size=(2, 2), error=ValueError, name="empty axis")
    yield s.case(s.floats(1, 2, 4, 4), output_size=(2,), error=ValueError, name="one size for two axes")


@op
class AdaptiveAvgPool:
    """The mean of windows chosen to give `output_size` elements an axis; None keeps the axis (torch adaptive_avg_pool)."""

    inputs = ("x: float",)
    output_size: tuple[int | None, ...]
    layout: Layout = "channels_first"

    @staticmethod
    def infer(x: TensorType, output_size: tuple[int | None, ...], layout: Layout) -> TensorType:
        return _infer_adaptive("adaptive_avg_pool", x, output_size, layout)

    @staticmethod
    def evaluate(x: np.ndarray, output_size: tuple[int | None, ...], layout: Layout) -> np.ndarray:
        return adaptive_pool(x, output_size, layout, np.mean)

    @staticmethod
    def decompose(b: Any, x: Any, output_size: tuple[int | None, ...], layout: Layout) -> Any:
        return _decompose_adaptive(b, x, output_size, layout, "avg")

    samples = staticmethod(_adaptive_samples)


@op
class AdaptiveMaxPool:
    """The maximum of windows chosen to give `output_size` elements an axis; None keeps the axis (torch adaptive_max_pool)."""

    inputs = ("x: real",)
    output_size: tuple[int | None, ...]
    layout: Layout = "channels_first"

    @staticmethod
    def infer(x: TensorType, output_size: tuple[int | None, ...], layout: Layout) -> TensorType:
        return _infer_adaptive("adaptive_max_pool", x, output_size, layout)

    @staticmethod
    def evaluate(x: np.ndarray, output_size: tuple[int | None, ...], layout: Layout) -> np.ndarray:
        return adaptive_pool(x, output_size, layout, np.max)

    @staticmethod
    def decompose(b: Any, x: Any, output_size: tuple[int | None, ...], layout: Layout) -> Any:
        return _decompose_adaptive(b, x, output_size, layout, "max")

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield from _adaptive_samples(s)
        yield s.case(s.ints(2, 3, 7, 5), output_size=(3, 1))
        yield s.case(s.floats(2, 3, 7, 5, edge=True), output_size=(3, 2))


def _decompose_adaptive(b: Any, x: Any, output_size: tuple[int | None, ...], layout: Layout, kind: str) -> Any:
    """Axes pooled to 1 are reduced; the others need a size that the output size divides."""
    axes = spatial_axes(layout, x.type.rank)
    reduced = tuple(a for a, n in zip(axes, output_size) if n == 1)
    window = []
    for axis, n in zip(axes, output_size):
        size = x.type.shape[axis]
        if n is None or n == 1:
            window.append(1)
        elif isinstance(size, int) and n and size % n == 0:
            window.append(size // n)
        else:
            raise NotImplementedError(
                f"adaptive pooling from {size} to {n} elements is not a pooling with equal windows"
            )
    if reduced:
        x = (b.reduce_mean if kind == "avg" else b.reduce_max)(x, axes=reduced, keepdims=True)
    if all(w == 1 for w in window):
        return x
    pool = b.avg_pool if kind == "avg" else b.max_pool
    return pool(x, window=tuple(window), strides=tuple(window), dilations=(1,) * len(window), layout=layout)
