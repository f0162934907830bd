"""Images at another size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from converter.importers.keras.context import KerasContext, Unruled, rule, to_numpy
from converter.importers.keras.layers import layout_of
from converter.importers.keras.operands import on_tensorflow
from converter.importers.keras.rules_indexing import backend
from converter.importers.keras.tensors import is_traced
from ir.core import Value
from ir.ops.axes import Layout
from ir.types import Dim

Kernel = Callable[[np.ndarray], np.ndarray]


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
            value = along(c, value, axis, _tabled(have, want))
        return value
    if form == "bicubic":
        own = backend() == "torch" and not op.antialias  # torch's kernel, beyond the edge lies the edge
        kernel = {"cubic_a": -0.75} if own else {"cubic_a": -0.5, "exclude_outside": True}
        return c.b.resize(value, sizes=sizes, mode="cubic", antialias=bool(op.antialias), layout=layout, **kernel)
    if form in ("lanczos3", "lanczos5"):
        for axis, have, want in zip(axes, _sizes(c, value, axes), sizes, strict=True):
            factor = np.float64(want / have)
            matrix = weights(have, want, factor, np.float64(0), _KERNELS[form], bool(op.antialias))
            value = along(c, value, axis, matrix)
        return value
    if form == "area" and on_tensorflow():
        for axis, have, want in zip(axes, _sizes(c, value, axes), sizes, strict=True):
            value = along(c, value, axis, _shares(have, want))
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
def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - np.abs(x))


def _cubic(x: np.ndarray) -> np.ndarray:
    out = np.where(x >= 1, ((-0.5 * x + 2.5) * x - 4) * x + 2, (1.5 * x - 2.5) * x * x + 1)
    return np.where(x >= 2, 0, out)


def _lanczos(radius: int) -> Kernel:
    def kernel(x: np.ndarray) -> np.ndarray:
        y = radius * np.sin(np.pi * x) * np.sin(np.pi * x / radius)
        out = np.where(x > 1e-3, y / np.where(x != 0, np.pi**2 * x**2, 1), 1)
        return np.where(x > radius, 0, out)

    return kernel


_KERNELS: dict[str, Kernel] = {"linear": _triangle, "cubic": _cubic, "lanczos3": _lanczos(3), "lanczos5": _lanczos(5)}


def weights(have: int, want: int, scale: Any, shift: Any, kernel: Kernel, antialias: bool) -> np.ndarray:
    """What each of `have` elements counts for each of `want`: [have, want]."""
    back = 1 / scale
    wide = max(back, 1.0) if antialias else 1.0
    at = (np.arange(want) + 0.5) * back - shift * back - 0.5
    matrix = kernel(np.abs(at[None, :] - np.arange(have)[:, None]) / wide)
    total = matrix.sum(0, keepdims=True)
    matrix = np.where(np.abs(total) > 1000 * np.finfo(np.float32).eps, matrix / np.where(total != 0, total, 1), 0)
    return np.where(((at >= -0.5) & (at <= have - 0.5))[None, :], matrix, 0)


def _tabled(have: int, want: int) -> np.ndarray:
    """TensorFlow's bicubic weights: the kernel at multiples of 1/1024, nothing from beyond the edge."""
    place = (np.arange(want, dtype=np.float32) + np.float32(0.5)) * (np.float32(have) / np.float32(want)) - np.float32(
        0.5
    )
    low = np.floor(place)
    near = np.rint((place - low) * np.float32(1024)) / 1024
    matrix = np.zeros((have, want))
    for step in (-1, 0, 1, 2):
        at = low.astype(int) + step
        inside = (at >= 0) & (at < have)
        matrix[at[inside], np.flatnonzero(inside)] = _cubic(np.abs(near - step))[inside]
    return matrix / matrix.sum(0, keepdims=True)


def _shares(have: int, want: int) -> np.ndarray:
    """The part of each element that lies under each of `want` equal pieces."""
    edge = np.arange(want + 1) * have / want
    low, high = np.arange(have)[:, None], np.arange(1, have + 1)[:, None]
    covered = np.clip(np.minimum(high, edge[None, 1:]) - np.maximum(low, edge[None, :-1]), 0, None)
    return covered * want / have


def along(c: KerasContext, value: Value, axis: int, matrix: np.ndarray) -> Value:
    """The product of one axis with a constant matrix."""
    letters = "abcdefgh"[: value.type.rank]
    out = letters.replace(letters[axis], "z")
    weight = c.array(matrix.astype(value.type.dtype.numpy))
    return c.b.einsum([value, weight], equation=f"{letters},{letters[axis]}z->{out}")


@rule("ops.ScaleAndTranslate")
def scale_and_translate(
    c: KerasContext, op: Any, images: Any, output_shape: Any, scale: Any, translation: Any
) -> Value:
    value = c.value(images)
    if is_traced(scale) or is_traced(translation) or not value.type.dtype.is_float:
        c.refuse(
            "a scale or translation that a tensor holds, or images of integers", "give numbers, and cast to floats"
        )
    kernel = _KERNELS["linear" if "linear" in op.method else "cubic" if "cubic" in op.method else op.method]
    factors, shifts = (to_numpy(v).astype(np.float32).reshape(-1) for v in (scale, translation))
    for i, d in enumerate(op.spatial_dims):
        axis = d % value.type.rank
        have, want = value.type.shape[axis], c.dim(output_shape[axis])
        if not isinstance(have, int) or not isinstance(want, int):
            c.refuse("images of open size", "fix the sizes")
        matrix = weights(have, want, np.float64(factors[i]), np.float64(shifts[i]), kernel, bool(op.antialias))
        value = along(c, value, axis, matrix)
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
