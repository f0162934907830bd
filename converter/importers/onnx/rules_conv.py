"""Convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from ir.core import Value
from ir.types import Dim, TensorType, ceildiv

_AUTO = {"NOTSET": None, "VALID": "valid", "SAME_UPPER": "same_upper", "SAME_LOWER": "same_lower"}


def per_axis(c: OnnxContext, name: str, spatial: int, default: int | None = None) -> tuple[int, ...]:
    """An attribute with one number for each spatial axis; without a default it must have them."""
    values = c.attr(name)
    if not values and default is not None:
        return (default,) * spatial
    if len(values) != spatial:
        c.refuse(f"{name}={values} does not fit {spatial} spatial axes")
    return tuple(values)


def padding(c: OnnxContext, spatial: int) -> Any:
    """Padding as the IR states it: pairs, or a name from auto_pad."""
    auto = c.only("auto_pad", *_AUTO)
    pads = c.attr("pads") or [0] * (2 * spatial)
    if len(pads) != 2 * spatial:
        c.refuse(f"pads={pads} do not fit {spatial} spatial axes")
    if _AUTO[auto] is not None:
        if any(pads):
            c.refuse(f"auto_pad={auto} and pads={pads} contradict each other")
        return _AUTO[auto]
    return tuple(zip(pads[:spatial], pads[spatial:], strict=True)) if any(pads) else "valid"


def check_same(
    c: OnnxContext, window: Sequence[Dim], strides: Sequence[int], dilations: Sequence[int], sizes: Sequence[Dim] | None = None
) -> None:  # fmt: skip
    """Refuse auto_pad=SAME_* where the total padding is -2 or less: TensorFlow pads nothing, ONNX Runtime shifts.

    `sizes` are the spatial ones, those of the first operand unless given.
    """
    if not c.attr("auto_pad").startswith("SAME"):
        return
    for size, w, stride, dilation in zip(sizes or c.type().shape[2:], window, strides, dilations, strict=True):
        extent = (w - 1) * dilation + 1
        if isinstance(extent, int) and stride - extent < 2:
            continue
        total = (ceildiv(size, stride) - 1) * stride + extent - size
        if not isinstance(total, int) or total < -1:
            c.refuse(
                f"auto_pad with windows of extent {extent} at strides of {stride} is not done alike by the runtimes"
            )


def check_kernel(c: OnnxContext, index: int = 1, weight: TensorType | None = None) -> None:
    """Refuse a kernel_shape that the weight, input `index` unless given, does not have."""
    kernel = c.attr("kernel_shape")
    window = (weight or c.type(index)).shape[2:]
    if kernel and tuple(kernel) != window and all(isinstance(w, int) for w in window):
        c.refuse(f"kernel_shape={kernel} differs from the weight {c.type(index)}")


@rule("Conv", 1, 11, 22)
def conv(c: OnnxContext, x: Value | None = None, weight: Value | None = None) -> Value:
    """Of the first two operands, or of values that stand for them channels first."""
    x, weight = c.x(0) if x is None else x, c.x(1) if weight is None else weight
    spatial = c.rank() - 2
    check_kernel(c, weight=weight.type)
    strides, dilations = per_axis(c, "strides", spatial, 1), per_axis(c, "dilations", spatial, 1)
    check_same(c, weight.type.shape[2:], strides, dilations, x.type.shape[2:])
    return c.b.conv(
        x,
        weight,
        c.opt(2),
        strides=strides,
        padding=padding(c, spatial),
        dilations=dilations,
        groups=c.attr("group"),
    )


@rule("ConvTranspose", 1, 11, 22)
def conv_transpose(c: OnnxContext) -> Value:
    spatial = c.rank() - 2
    check_kernel(c)
    strides, dilations = per_axis(c, "strides", spatial, 1), per_axis(c, "dilations", spatial, 1)
    extra = per_axis(c, "output_padding", spatial, 0)
    extents = [(w - 1) * d + 1 for w, d in zip(c.type(1).shape[2:], dilations, strict=True)]
    pads, extra = _transposed_padding(c, spatial, strides, extra, extents)
    return c.b.conv_transpose(
        c.x(0),
        c.x(1),
        c.opt(2),
        strides=strides,
        padding=pads,
        output_padding=extra,
        dilations=dilations,
        groups=c.attr("group"),
    )


def _transposed_padding(
    c: OnnxContext, spatial: int, strides: tuple[int, ...], extra: tuple[int, ...], extents: list[Dim]
) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    """What is cropped, and what is added behind. `output_shape`, or auto_pad=SAME_* (output = input * stride), fix the
    total on each axis; where it is more than there is, the rest is added."""
    wanted, auto = c.attr("output_shape"), c.only("auto_pad", *_AUTO)
    sizes = c.type().shape[2:]
    if not wanted and auto in ("NOTSET", "VALID"):
        pads = padding(c, spatial)
        return ((0, 0),) * spatial if pads == "valid" else pads, extra
    c.ignore("pads")  # not used where the output size is given
    if wanted and len(wanted) != spatial:
        c.refuse(f"output_shape={wanted} does not fit {spatial} spatial axes")
    targets = wanted or [n * s for n, s in zip(sizes, strides, strict=True)]
    pairs, added = [], []
    for size, stride, add, extent, target in zip(sizes, strides, extra, extents, targets, strict=True):
        total = stride * (size - 1) + add + extent - target
        if not isinstance(total, int):
            c.refuse(f"a transposed convolution of size {size} to {target} would have to crop {total} elements")
        if total < 0 and (not wanted or add - total >= stride):  # without output_shape the runtimes do not agree
            c.refuse(f"a transposed convolution of size {size} to {target} would have to add {-total} elements")
        added.append(add - min(total, 0))
        total = max(total, 0)
        half = total // 2
        pairs.append((half, total - half) if auto == "SAME_UPPER" else (total - half, half))
    return tuple(pairs), tuple(added)


@rule("Col2Im", 18)
def col2im(c: OnnxContext) -> Value:
    """Blocks added up where they lie: a transposed convolution with a weight of ones at each block's own place."""
    image, block = c.ints(1, "the image shape"), c.ints(2, "the block shape")
    spatial, count = len(image), math.prod(block)
    strides, dilations = per_axis(c, "strides", spatial, 1), per_axis(c, "dilations", spatial, 1)
    pads = c.attr("pads") or [0] * (2 * spatial)
    x = c.x()
    batch, rows, _ = x.type.shape
    if not isinstance(rows, int) or rows % count or len(block) != spatial or len(pads) != 2 * spatial:
        c.refuse(f"columns {x.type} do not fit blocks of {list(block)}")
    pairs = tuple(zip(pads[:spatial], pads[spatial:], strict=True))
    extents = [(w - 1) * d + 1 for w, d in zip(block, dilations, strict=True)]
    free = [n + p + q - e for n, (p, q), e in zip(image, pairs, extents, strict=True)]
    if any(f < 0 for f in free):
        c.refuse(f"blocks of {list(block)} do not fit an image of {list(image)}")
    places = tuple(f // s + 1 for f, s in zip(free, strides, strict=True))
    left = tuple(f % s for f, s in zip(free, strides, strict=True))
    channels = rows // count
    weight = np.tile(np.eye(count).reshape(count, 1, *block), (channels, 1, *[1] * spatial))
    return c.b.conv_transpose(
        c.b.reshape(x, shape=(batch, rows, *places)), c.b.constant(weight, x.type.dtype), strides=strides, padding=pairs,
        output_padding=left, dilations=dilations, groups=channels,
    )  # fmt: skip
