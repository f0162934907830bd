"""Images at another size."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers import filters
from converter.importers.keras.context import KerasContext, Unruled, rule, to_numpy
from converter.importers.keras.layers import layout_of
from converter.importers.keras.operands import on_tensorflow
from converter.importers.keras.rules_indexing import backend
from converter.importers.keras.tensors import is_traced
from ir.core import Value
from ir.ops.axes import Layout
from ir.types import Dim


@rule("ops.Resize")
def resize(c: KerasContext, op: Any, images: Any) -> Any:
    """Ratios are kept by cropping or padding first. Integers are rounded, and stay in their range."""
    value, layout = c.value(images), layout_of(op)
    single = value.type.rank == 3
    value = c.b.unsqueeze(value, axes=(0,)) if single else value
    axes = (1, 2) if layout == "channels_last" else (2, 3)
    if op.fill_mode != "constant":
        c.refuse(f"filling of kind {op.fill_mode!r}")
    if op.crop_to_aspect_ratio:
        value = _cropped(c, value, axes, op.size)
    if op.pad_to_aspect_ratio:
        value = _padded(c, value, axes, op.size, op.fill_value)
    kind = value.type.dtype
    found = _resized(c, op, value, axes, layout)
    found = c.b.squeeze(found, axes=(0,)) if single else found
    if found.type.dtype == kind:
        return found
    from keras import ops

    with c.tracer.spelling():
        result = c.tensor(found)
        return ops.saturate_cast(ops.round(result) if kind.is_integer else result, kind.name)


def _sizes(c: KerasContext, value: Value, axes: tuple[int, int]) -> tuple[int, int]:
    found = [value.type.shape[a] for a in axes]
    if not all(isinstance(n, int) for n in found):
        c.refuse("images of open size whose ratio is kept, or that are filtered", "fix the size of the images")
    return int(found[0]), int(found[1])


def _scaled(size: int, factor: int, by: int) -> int:
    return int(np.float32(size * factor) / np.float32(by))


def _cropped(c: KerasContext, value: Value, axes: tuple[int, int], size: Any) -> Value:
    """The middle, in the ratio of what is wanted."""
    h, w = _sizes(c, value, axes)
    height = max(min(h, _scaled(w, size[0], size[1])), 1)
    width = max(min(w, _scaled(h, size[1], size[0])), 1)
    top, left = (h - height) // 2, (w - width) // 2
    if (top, left, height, width) == (0, 0, h, w):
        return value
    return c.b.slice(value, axes=axes, starts=(top, left), stops=(top + height, left + width), steps=(1, 1))


def _padded(c: KerasContext, value: Value, axes: tuple[int, int], size: Any, fill: Any) -> Value:
    """The same border on both sides: an odd rest is left out on TensorFlow."""
    if not on_tensorflow():
        c.refuse("padding to a ratio, whose odd rest the backends put in different places", "pad before resizing")
    h, w = _sizes(c, value, axes)
    top = (max(h, _scaled(w, size[0], size[1])) - h) // 2
    left = (max(w, _scaled(h, size[1], size[0])) - w) // 2
    pads = [(0, 0)] * 4
    pads[axes[0]], pads[axes[1]] = (top, top), (left, left)
    return c.b.pad(value, pads=tuple(pads), value=fill)


def _resized(c: KerasContext, op: Any, value: Value, axes: tuple[int, int], layout: Layout) -> Value:
    form, sizes = op.interpolation, c.dims(op.size)
    if form == "nearest":
        _same_picks(c, value, axes, sizes)
        return c.b.resize(value, sizes=sizes, mode="nearest", nearest="round_prefer_ceil", layout=layout)
    if on_tensorflow() or not value.type.dtype.is_float:
        value = c.cast(value, "float32")
    if form == "bilinear":
        wide = {"antialias": True, "exclude_outside": True} if op.antialias else {}
        return c.b.resize(value, sizes=sizes, mode="linear", layout=layout, **wide)
    return _filtered(c, op, value, axes, layout)


def _filtered(c: KerasContext, op: Any, value: Value, axes: tuple[int, int], layout: Layout) -> Value:
    """Forms whose weights are computed here, or whose sizes must be known."""
    form, sizes = op.interpolation, tuple(n for n in c.dims(op.size) if isinstance(n, int))
    if len(sizes) < 2:
        c.refuse(f"interpolation of kind {form!r} to an open size", "fix the size of the images")
    if form == "bicubic" and on_tensorflow() and not op.antialias:
        for axis, have, want in zip(axes, _sizes(c, value, axes), sizes, strict=True):
            value = _along(c, value, axis, filters.tabled(have, want))
        return value
    if form == "bicubic":
        own = backend() == "torch" and not op.antialias  # torch's kernel, beyond the edge lies the edge
        kernel = {"cubic_a": -0.75} if own else {"cubic_a": -0.5, "exclude_outside": True}
        return c.b.resize(value, sizes=sizes, mode="cubic", antialias=bool(op.antialias), layout=layout, **kernel)
    if form in ("lanczos3", "lanczos5"):
        for axis, have, want in zip(axes, _sizes(c, value, axes), sizes, strict=True):
            factor = np.float64(want / have)
            matrix = filters.weights(have, want, factor, np.float64(0), filters.KERNELS[form][0], bool(op.antialias))
            value = _along(c, value, axis, matrix)
        return value
    if form == "area" and on_tensorflow():
        for axis, have, want in zip(axes, _sizes(c, value, axes), sizes, strict=True):
            value = _along(c, value, axis, filters.shares(have, want))
        return value
    c.refuse(f"interpolation of kind {form!r}")


def _same_picks(c: KerasContext, value: Value, axes: tuple[int, int], sizes: tuple[Dim, ...]) -> None:
    """Refuse sizes at which float32, in which the backends compute positions, picks another element."""
    for axis, want in zip(axes, sizes, strict=True):
        have = value.type.shape[axis]
        if not isinstance(have, int) or not isinstance(want, int):
            c.note("the nearest element at sizes whose ratio float32 rounds may be the neighbour of Keras'")
            continue
        at = (2 * np.arange(want) + 1) * have // (2 * want)
        single = np.floor((np.arange(want, dtype=np.float32) + np.float32(0.5)) * (np.float32(have) / np.float32(want)))
        if (np.minimum(single, have - 1) != at).any():
            c.refuse(
                f"the nearest of {have} elements at {want} places, which float32 rounds to neighbours",
                "use another size",
            )


# -- filters as matrices ------------------------------------------------------------------------------------------------
_KERNELS = {"linear": "triangle", "cubic": "keyscubic", "lanczos3": "lanczos3", "lanczos5": "lanczos5"}


def _along(c: KerasContext, value: Value, axis: int, matrix: np.ndarray) -> Value:
    """The product of one axis with a constant matrix."""
    return filters.along(c.b, value, axis, c.array(matrix.astype(value.type.dtype.numpy)))


@rule("ops.ScaleAndTranslate")
def scale_and_translate(
    c: KerasContext, op: Any, images: Any, output_shape: Any, scale: Any, translation: Any
) -> Value:
    value = c.value(images)
    if is_traced(scale) or is_traced(translation) or not value.type.dtype.is_float:
        c.refuse(
            "a scale or translation that a tensor holds, or images of integers", "give numbers, and cast to floats"
        )
    form = "linear" if "linear" in op.method else "cubic" if "cubic" in op.method else op.method
    kernel, _ = filters.KERNELS[_KERNELS[form]]
    factors, shifts = (to_numpy(v).astype(np.float32).reshape(-1) for v in (scale, translation))
    for i, d in enumerate(op.spatial_dims):
        axis = d % value.type.rank
        have, want = value.type.shape[axis], c.dim(output_shape[axis])
        if not isinstance(have, int) or not isinstance(want, int):
            c.refuse("images of open size", "fix the sizes")
        matrix = filters.weights(have, want, np.float64(factors[i]), np.float64(shifts[i]), kernel, bool(op.antialias))
        value = _along(c, value, axis, matrix)
    return value


@rule("layers.UpSampling2D")
def up_sampling(c: KerasContext, layer: Any, inputs: Any, training: Any = None) -> Value:
    """Whole multiples of the size, open or not; other forms than these two say themselves what they do."""
    x, layout = c.value(inputs), layout_of(layer)
    axes = (1, 2) if layout == "channels_last" else (2, 3)
    sizes = tuple(x.type.shape[a] * int(n) for a, n in zip(axes, layer.size, strict=True))
    if layer.interpolation == "nearest":
        return c.b.resize(x, sizes=sizes, mode="nearest", coordinates="asymmetric", nearest="floor", layout=layout)
    if layer.interpolation == "bilinear" and x.type.dtype.name == "float32":
        return c.b.resize(x, sizes=sizes, mode="linear", layout=layout)
    raise Unruled
