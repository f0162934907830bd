"""Colours, edges, blurs and pieces of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.layers import layout_of
from converter.importers.keras.operands import on_tensorflow
from converter.importers.keras.rules_indexing import backend
from converter.importers.keras.spelled import spelled
from ir.core import Value


@spelled("ops.PadImages", "ops.CropImages", "ops.ExtractPatches", "ops.SSIM")
def by_keras(op: Any, *images: Any) -> Any:
    """Keras itself makes these of other operations."""
    return op.call(*images)


@spelled("ops.PSNR")
def psnr(op: Any, x1: Any, x2: Any) -> Any:
    from keras import ops

    apart = ops.mean(ops.square(ops.subtract(x1, x2)))
    peak = ops.log10(ops.cast(ops.convert_to_tensor(op.max_val), x2.dtype))
    return ops.subtract(ops.multiply(20, peak), ops.multiply(10, ops.log10(apart)))


def _channels(op: Any, images: Any) -> int:
    return len(images.shape) - (1 if op.data_format == "channels_last" else 3)


@spelled("ops.RGBToGrayscale")
def grayscale(op: Any, images: Any) -> Any:
    from keras import ops
    from keras.src.backend.common.dtypes import result_type

    axis = _channels(op, images)
    if images.shape[axis] == 1:
        return images
    wide = ops.cast(images, result_type(images.dtype, float))
    weights = ops.convert_to_tensor(np.array([0.2989, 0.587, 0.114]), dtype=wide.dtype)
    grey = ops.tensordot(wide, weights, axes=((axis,), (0,)))
    return ops.cast(ops.expand_dims(grey, axis), images.dtype)


@spelled("ops.RGBToHSV")
def rgb_to_hsv(op: Any, images: Any) -> Any:
    from keras import ops

    axis = _channels(op, images)
    r, g, b = ops.unstack(images, axis=axis)
    value = ops.max(images, axis=axis)
    span = ops.subtract(value, ops.min(images, axis=axis))
    saturation = ops.divide_no_nan(span, value)
    unit = ops.divide_no_nan(1.0, ops.multiply(6.0, span))
    red = ops.multiply(unit, ops.subtract(g, b))
    green = ops.add(ops.multiply(unit, ops.subtract(b, r)), 2.0 / 6.0)
    blue = ops.add(ops.multiply(unit, ops.subtract(r, g)), 4.0 / 6.0)
    hue = ops.where(ops.equal(r, value), red, ops.where(ops.equal(g, value), green, blue))
    hue = ops.where(ops.greater(span, 0), hue, ops.zeros_like(hue))
    hue = ops.where(ops.less(hue, 0), ops.add(hue, 1.0), hue)
    return ops.stack([hue, saturation, value], axis=axis)


@spelled("ops.HSVToRGB")
def hsv_to_rgb(op: Any, images: Any) -> Any:
    from keras import ops

    axis = _channels(op, images)
    hue, saturation, value = ops.unstack(images, axis=axis)
    turn = ops.multiply(hue, 6.0)
    shares = [
        ops.subtract(ops.abs(ops.subtract(turn, 3.0)), 1.0),
        ops.subtract(2.0, ops.abs(ops.subtract(turn, 2.0))),
        ops.subtract(2.0, ops.abs(ops.subtract(turn, 4.0))),
    ]
    rest = ops.subtract(1.0, saturation)
    parts = [ops.multiply(ops.add(rest, ops.multiply(saturation, ops.clip(s, 0.0, 1.0))), value) for s in shares]
    return ops.stack(parts, axis=axis)


def _filtered(c: KerasContext, value: Value, kernel: np.ndarray, layout: Any, padding: Any) -> Value:
    """Every channel by the same filters [height, width, filters]."""
    channels = value.type.shape[3 if layout == "channels_last" else 1]
    if not isinstance(channels, int):
        c.refuse("images of an open number of channels", "fix it")
    weight = np.tile(np.moveaxis(kernel, -1, 0)[:, None], (channels, 1, 1, 1)).astype(value.type.dtype.numpy)
    return c.b.conv(
        value, c.array(weight), None, strides=(1, 1), padding=padding, dilations=(1, 1), groups=channels, layout=layout
    )


@rule("ops.GaussianBlur")
def gaussian_blur(c: KerasContext, op: Any, images: Any) -> Value:
    value, layout = c.value(images), layout_of(op)
    if not value.type.dtype.is_float:
        c.refuse("a blur of integers", "cast the images to floats")
    if backend() == "torch" and (len(set(op.kernel_size)) > 1 or op.kernel_size[0] % 2 == 0):
        c.refuse(
            "a blur by an uneven or even window on torch, which changes the size of the images", "use one odd size"
        )
    single = value.type.rank == 3
    value = c.b.unsqueeze(value, axes=(0,)) if single else value
    sizes, sigmas = (tuple(float(n) for n in v) for v in (op.kernel_size, op.sigma))
    lines = []
    for size, sigma in zip(sizes, sigmas, strict=True):
        line = np.exp(-0.5 * ((np.arange(size) - (size - 1) / 2) / sigma) ** 2)
        lines.append(line / line.sum())
    window = np.tensordot(lines[1], lines[0], 0)
    if backend() != "jax":  # where the first size lies along the width; TensorFlow reshapes the window instead
        window = window.reshape(int(sizes[0]), int(sizes[1]))
    found = _filtered(c, value, window[..., None], layout, "same_upper")
    return c.b.squeeze(found, axes=(0,)) if single else found


@rule("ops.SobelEdges")
def sobel_edges(c: KerasContext, op: Any, images: Any) -> Value:
    """Slopes down and to the right, on a new last axis; beyond the edge lies its mirror on TensorFlow, 0 elsewhere."""
    value, layout = c.value(images), layout_of(op)
    axes = (1, 2) if layout == "channels_last" else (2, 3)
    pads = tuple((1, 1) if i in axes else (0, 0) for i in range(4))
    down = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    mode = "reflect" if on_tensorflow() else "constant"
    found = _filtered(c, c.b.pad(value, pads=pads, mode=mode), np.stack([down, down.T], -1), layout, "valid")
    shape = list(value.type.shape)
    if layout == "channels_last":
        return c.b.reshape(found, shape=(*shape, 2))
    n, channels, h, w = shape
    return c.b.transpose(c.b.reshape(found, shape=(n, channels, 2, h, w)), perm=(0, 1, 3, 4, 2))


@spelled("ops.MapCoordinates")
def map_coordinates(op: Any, inputs: Any, coordinates: Any) -> Any:
    """Elements at positions between elements: the nearest, or the mean of neighbours by their distance."""
    from keras import ops

    from converter.importers.keras.rules_creation import raise_refusal

    if not on_tensorflow() or op.order not in (0, 1) or op.fill_mode not in ("constant", "nearest"):
        raise_refusal(f"positions beyond the edge filled as {op.fill_mode!r}", "use constant or nearest, on TensorFlow")
    total: Any = None
    places = ops.unstack(coordinates, axis=0)
    for corner in range(2 ** (len(places) if op.order else 0)):
        at: list[Any] = []
        weight: Any = None
        inside: Any = None
        for axis, (place, size) in enumerate(zip(places, inputs.shape)):
            index, share = _neighbour(place, corner >> axis & 1, op.order)
            within = ops.logical_and(ops.greater_equal(index, 0), ops.less(index, size))
            inside = within if inside is None else ops.logical_and(inside, within)
            weight = share if weight is None else ops.multiply(weight, share)
            at.append(ops.clip(index, 0, size - 1))
        found = ops.cast(_gathered(inputs, at), weight.dtype)
        if op.fill_mode == "constant":
            found = ops.where(inside, found, ops.cast(ops.cast(op.fill_value, inputs.dtype), weight.dtype))
        part = ops.multiply(weight, found)
        total = part if total is None else ops.add(total, part)
    total = ops.round(total) if "int" in inputs.dtype else total
    return ops.cast(total, inputs.dtype)


def _neighbour(place: Any, upper: int, order: int) -> tuple[Any, Any]:
    """A position beside a coordinate, and how much it counts."""
    from keras import ops

    if order == 0:
        return ops.cast(ops.round(place), "int32"), ops.ones_like(place)
    low = ops.floor(place)
    share = ops.subtract(place, low)
    index = ops.cast(low, "int32")
    return (ops.add(index, 1), share) if upper else (index, ops.subtract(1.0, share))


def _gathered(inputs: Any, at: list[Any]) -> Any:
    """The elements at positions given axis by axis, by their place in row order."""
    from keras import ops

    flat = at[0]
    for size, index in zip(inputs.shape[1:], at[1:]):
        flat = ops.add(ops.multiply(flat, size), index)
    return ops.take(inputs, flat)
