"""Quantisation to integers and back, spelled out: divide, round half to even, shift, saturate, cast."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_cast import saturated
from converter.importers.onnx.rules_conv import check_kernel, check_same, padding, per_axis
from converter.importers.onnx.table import rule
from converter.importers.onnx.tensors import element_type
from ir.core import Value
from ir.types import Dim, DType, dtypes, normalize_axis, numel, same

_VERSIONS = (10, 13, 19, 21, 23, 24, 25, 28)
_EXACT_TERMS = 2**24 // 255**2
"""How many products of bytes less zero points float32 adds up exactly."""


@rule("QuantizeLinear", *_VERSIONS)
def quantize_linear(c: OnnxContext) -> Value:
    """saturate(round(x / scale) + zero point)."""
    kind = _target(c)
    if not kind.is_integer and not (kind.is_float and kind.bits == 8 and c.version >= 19):
        c.refuse(f"quantising to {kind} is not defined")
    c.ignore("saturate")  # of 8-bit floats only
    precision = _precision(c)
    scale = _rounded(c, _spread(c, c.x(1)), precision)
    scaled = _rounded(c, c.b.div(_rounded(c, c.x(0), precision), scale), precision)
    if kind.is_float:
        if c.has(2) and np.any(c.fixed(2, "the zero point").astype(np.float32)):
            c.refuse(f"a zero point of {kind} that is not zero is not defined")
        return saturated(c, scaled, kind) if c.attr("saturate") else c.b.cast(scaled, to=kind)
    scaled = c.b.round(scaled)
    if c.has(2):
        scaled = c.b.add(scaled, c.cast(_spread(c, c.x(2)), dtypes.float32))
    return c.b.cast(c.b.clip(scaled, float(kind.min), float(kind.max)), to=kind)


def _precision(c: OnnxContext) -> DType:
    """In which x is divided: the type of the scale from version 23 on, unless `precision` names one; float32 before, as
    ONNX Runtime does it."""
    if c.version < 23:
        return dtypes.float32
    kind = element_type(c.attr("precision")) if c.attr("precision") else c.type(1).dtype
    if kind not in (dtypes.float32, dtypes.float16, dtypes.bfloat16):
        c.refuse(f"by its precision it would divide in {kind}, which is not defined")
    return kind


def _rounded(c: OnnxContext, x: Value, precision: DType) -> Value:
    """As float32, with the digits that a type has. Quotients of halves are rounded right from those of float32; ONNX
    Runtime, which lacks divisions of halves, would leave out casts around one."""
    return c.cast(c.cast(x, precision), dtypes.float32)


def _target(c: OnnxContext) -> DType:
    named = c.attr("output_dtype") if c.version >= 21 else 0
    if not c.has(2):
        return element_type(named) if named else dtypes.uint8
    kind = c.type(2).dtype
    if named and element_type(named) != kind:
        c.refuse(f"output_dtype {element_type(named)} differs from the zero point's {kind}")
    return kind


@rule("DequantizeLinear", *_VERSIONS)
def dequantize_linear(c: OnnxContext) -> Value:
    """(x - zero point) * scale."""
    x, kind = c.x(0), c.type(1).dtype
    if c.version >= 23 and c.attr("output_dtype"):
        kind = element_type(c.attr("output_dtype"))
    if x.type.dtype.is_float and x.type.dtype.bits == 8:
        if c.has(2) and np.any(c.fixed(2, "the zero point").astype(np.float32)):
            c.refuse(f"a zero point of {x.type.dtype} that is not zero is not defined")
    elif not x.type.dtype.is_integer:
        c.refuse(f"dequantising {x.type.dtype} is not defined")
    elif c.has(2):
        x = c.b.sub(c.cast(x, dtypes.int32), c.cast(_spread(c, c.x(2)), dtypes.int32))
    out = c.b.mul(c.cast(x, dtypes.float32), c.cast(_spread(c, c.x(1)), dtypes.float32))
    return c.cast(out, kind)


def _spread(c: OnnxContext, values: Value) -> Value:
    """One number for all, one for each slice along `axis`, or one for each block of `block_size` along it."""
    rank, given = c.rank(), c.attr("axis") if "axis" in c.schema.attributes else None
    block = c.attr("block_size") if c.version >= 21 else 0
    if not block and (values.type.rank == 0 or values.type.shape == (1,)):
        return c.b.reshape(values, shape=()) if values.type.rank else values
    if "axis" not in c.schema.attributes:
        c.refuse(f"a scale or zero point {values.type} instead of one number is not defined before opset 13")
    axis = normalize_axis(1 if given is None else given, rank)
    if block:
        return _blocks(c, values, axis, block)
    if values.type.rank != 1:
        c.refuse(f"a scale or zero point {values.type} without block_size is not defined")
    if same(values.type.shape[0], c.type().shape[axis]) is False:
        c.refuse(f"a scale or zero point {values.type} does not fit axis {axis} of {c.type()}")
    shape: list[Dim] = [1] * rank
    shape[axis] = values.type.shape[0]
    return values if axis == rank - 1 else c.b.reshape(values, shape=tuple(shape))


def _blocks(c: OnnxContext, values: Value, axis: int, block: int) -> Value:
    if values.type.rank != c.rank():
        c.refuse(f"blocked scales {values.type} do not fit {c.type()}")
    size, count = c.type().shape[axis], values.type.shape[axis]
    if not isinstance(size, int) or not isinstance(count, int) or not (count - 1) * block < size <= count * block:
        c.refuse(f"{count} blocks of {block} do not cover the size {size}")
    dims = values.type.shape
    wide = c.b.expand(c.b.unsqueeze(values, axes=(axis + 1,)), shape=(*dims[: axis + 1], block, *dims[axis + 1 :]))
    flat = c.b.reshape(wide, shape=(*dims[:axis], count * block, *dims[axis + 1 :]))
    return flat if size == count * block else c.b.slice(flat, axes=(axis,), starts=(0,), stops=(size,), steps=(1,))


@rule("MatMulInteger", 10)
def matmul_integer(c: OnnxContext) -> Value:
    """(A - zero point) @ (B - zero point) in int32."""
    return c.b.matmul(centred(c, 0, 2, True), centred(c, 1, 3, False))


def centred(c: OnnxContext, index: int, zero: int, rows: bool) -> Value:
    """An integer matrix less its zero point, which is one number, or one for each row (of A) or column (of B)."""
    x = c.cast(c.x(index), dtypes.int32)
    if not c.has(zero):
        return x
    return c.b.sub(x, c.cast(_by_line(c, zero, rows), dtypes.int32))


def _by_line(c: OnnxContext, index: int, rows: bool) -> Value:
    value = c.x(index)
    if value.type.rank == 0 or value.type.shape == (1,):
        return c.b.reshape(value, shape=())
    return c.b.unsqueeze(value, axes=(value.type.rank,)) if rows and value.type.rank == 1 else value


@rule("QLinearMatMul", 10, 21)
def qlinear_matmul(c: OnnxContext) -> Value:
    """The integer product, times both scales over the result's scale, rounded, shifted, saturated."""
    total = c.b.matmul(centred(c, 0, 2, True), centred(c, 3, 5, False))
    scale = c.b.mul(c.cast(_by_line(c, 1, True), dtypes.float32), c.cast(_by_line(c, 4, False), dtypes.float32))
    return _requantised(c, total, scale, lambda index: _by_line(c, index, True))


def _requantised(c: OnnxContext, total: Value, scale: Value, placed: Callable[[int], Value]) -> Value:
    """int32 sums of the given scale in that of input 6, from the zero point 7 on and in its type."""
    kind = c.type(7).dtype
    ratio = c.b.div(scale, c.cast(placed(6), dtypes.float32))
    scaled = c.b.round(c.b.mul(c.cast(total, dtypes.float32), ratio))
    shifted = c.b.add(scaled, c.cast(placed(7), dtypes.float32))
    return c.b.cast(c.b.clip(shifted, float(kind.min), float(kind.max)), to=kind)


@rule("ConvInteger", 10)
def conv_integer(c: OnnxContext) -> Value:
    """A convolution of integers less their zero points; padding is zero after that."""
    return c.b.cast(_integer_conv(c, 0, 1, 2, 3), to=dtypes.int32)


@rule("QLinearConv", 10)
def qlinear_conv(c: OnnxContext, x: Value | None = None) -> Value:
    """The integer convolution, its int32 bias added, brought to the result's scale."""
    total = c.b.cast(_integer_conv(c, 0, 3, 2, 5, x), to=dtypes.int32)
    spatial = (1,) * (c.rank() - 2)
    if c.has(8):
        total = c.b.add(total, c.b.reshape(c.x(8), shape=(c.type(8).shape[0], *spatial)))
    weight_scale = _by_channel(c, 4, spatial)
    scale = c.b.mul(c.cast(_one(c, 1), dtypes.float32), c.cast(weight_scale, dtypes.float32))
    return _requantised(c, total, scale, lambda index: _one(c, index))


def _one(c: OnnxContext, index: int) -> Value:
    """One number for a whole tensor."""
    value = c.x(index)
    if value.type.rank and value.type.shape != (1,):
        c.refuse(f"its input {index} must be one number, got {value.type}")
    return c.b.reshape(value, shape=())


def _by_channel(c: OnnxContext, index: int, extra: tuple[int, ...]) -> Value:
    """One number, or one for each output channel, beside axes of size 1."""
    value = c.x(index)
    if value.type.rank == 0 or value.type.shape == (1,):
        return c.b.reshape(value, shape=())
    return c.b.reshape(value, shape=(value.type.shape[0], *extra))


def _integer_conv(c: OnnxContext, x: int, w: int, x_zero: int, w_zero: int, given: Value | None = None) -> Value:
    """The sums as floats of a type that holds each of them exactly; of an operand, or of what stands for it."""
    spatial = c.rank(x) - 2
    terms = numel(c.type(w).shape[1:])
    wide = dtypes.float32 if isinstance(terms, int) and terms <= _EXACT_TERMS else dtypes.float64
    image, weight = c.cast(c.x(x) if given is None else given, wide), c.cast(c.x(w), wide)
    if c.has(x_zero):
        image = c.b.sub(image, c.cast(_one(c, x_zero), wide))
    if c.has(w_zero):
        weight = c.b.sub(weight, c.cast(_by_channel(c, w_zero, (1,) * (spatial + 1)), wide))
    check_kernel(c, w)
    strides, dilations = per_axis(c, "strides", spatial, 1), per_axis(c, "dilations", spatial, 1)
    check_same(c, c.type(w).shape[2:], strides, dilations, image.type.shape[2:])
    return c.b.conv(
        image, weight, strides=strides, padding=padding(c, spatial), dilations=dilations, groups=c.attr("group")
    )
