"""Quantisation to integers and back, spelled out: divide, round half to even, shift, saturate, cast."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from converter.importers.onnx.tensors import element_type
from ir.core import Value
from ir.types import Dim, DType, dtypes, normalize_axis

_VERSIONS = (10, 13, 19, 21, 23, 24, 25, 28)


@rule("QuantizeLinear", *_VERSIONS)
def quantize_linear(c: OnnxContext) -> Value:
    """saturate(round(x / scale) + zero point)."""
    kind = _target(c)
    if not kind.is_integer:
        c.refuse(f"quantising to {kind} is not supported")
    if c.version >= 19:
        c.ignore("saturate")  # of 8-bit floats only
    if c.version >= 23 and c.attr("precision"):
        c.refuse(f"precision={c.attr('precision')} is not supported")
    scale = c.cast(_spread(c, c.x(1)), dtypes.float32)
    scaled = c.b.round(c.b.div(c.cast(c.x(0), dtypes.float32), scale))
    if c.has(2):
        scaled = c.b.add(scaled, c.cast(_spread(c, c.x(2)), dtypes.float32))
    return c.b.cast(c.b.clip(scaled, float(kind.min), float(kind.max)), to=kind)


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
    if not x.type.dtype.is_integer:
        c.refuse(f"dequantising {x.type.dtype} is not supported")
    if c.has(2):
        x = c.b.sub(c.cast(x, dtypes.int32), c.cast(_spread(c, c.x(2)), dtypes.int32))
    out = c.b.mul(c.cast(x, dtypes.float32), c.cast(_spread(c, c.x(1)), dtypes.float32))
    return c.cast(out, kind)


def _spread(c: OnnxContext, values: Value) -> Value:
    """One number for all, one for each slice along `axis`, or one for each block of `block_size` along it."""
    rank, axis = c.rank(), c.attr("axis") if c.version >= 13 else 1
    block = c.attr("block_size") if c.version >= 21 else 0
    if block:
        return _blocks(c, values, normalize_axis(axis, rank), block)
    if values.type.rank == 0 or values.type.shape == (1,):
        return c.b.reshape(values, shape=()) if values.type.rank else values
    if values.type.rank != 1:
        c.refuse(f"a scale or zero point {values.type} without block_size is not defined")
    axis = normalize_axis(axis, rank)
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
