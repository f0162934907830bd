"""Constants, ranges and random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.dtypes import onnx_type
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Node
from ir.types import DimExpr, DType, dtypes, is_static, numel

INLINE = 16
"""Filled tensors up to this many elements are constants, larger ones are made by ConstantOfShape."""


@rule("constant")
def constant(c: Context, node: Node) -> Tensor:
    return c.const(node.attrs["value"].value)


@rule("full")
def full(c: Context, node: Node) -> Tensor:
    from onnx import numpy_helper

    shape, dtype = node.attrs["shape"], node.attrs["dtype"]
    value = np.full((1,), node.attrs["value"], dtype.numpy)
    if is_static(shape) and int(numel(shape)) <= INLINE:
        return c.const(np.full(shape, value[0]))
    made = dtypes.float32 if dtype.is_half else dtype
    filled = c.raw("ConstantOfShape", [c.dims(shape)], [made], {"value": numpy_helper.from_array(value.astype(made.numpy))})
    return c.cast(filled[0], dtype)


@rule("dim")
def dim(c: Context, node: Node) -> Tensor:
    return c.sizes.scalar(node.attrs["size"])


@rule("bind_dim")
def bind_dim(c: Context, node: Node) -> Tensor:
    x = c.x(node, "x")
    c.sizes.bind(node.attrs["symbol"], x)
    return x


# -- ranges ---------------------------------------------------------------------------------------------------------
@expand("arange")
def arange(b: Builder, node: Node, opset: int) -> Any:
    """Floats as start + i * step in float64, rounded once; integers count in int64 and wrap."""
    a = node.attrs
    dtype: DType = a["dtype"]
    if dtype == dtypes.int64:
        return None
    symbolic = any(isinstance(a[k], DimExpr) for k in ("start", "stop", "step"))
    if dtype.is_integer or symbolic or all(float(a[k]).is_integer() for k in ("start", "stop", "step")):
        whole = {k: v if isinstance(v, DimExpr) else int(v) for k, v in a.items() if k != "dtype"}
        return b.cast(b.arange(**whole, dtype="int64"), to=dtype)
    length = int(node.output.type.shape[0])
    steps = b.cast(b.arange(start=0, stop=length, step=1, dtype="int64"), to=dtypes.float64)
    return b.cast(b.add(b.mul(steps, float(a["step"])), float(a["start"])), to=dtype)


@rule("arange")
def int64_range(c: Context, node: Node) -> Tensor:
    start, stop, step = (node.attrs[k] for k in ("start", "stop", "step"))
    whole = [d if isinstance(d, DimExpr) else int(d) for d in (start, stop, step)]
    return c.op("Range", *(c.sizes.scalar(d) for d in whole))


@rule("range")
def range_(c: Context, node: Node) -> Tensor:
    bounds = [c.x(node, k) for k in ("start", "stop", "step")]
    kind = node.output.type.dtype
    if kind.is_half:
        c.refuse(f"ONNX Runtime has no Range of {kind}, and a wider one may differ in length")
    return c.op("Range", *bounds)


# -- random numbers ---------------------------------------------------------------------------------------------------
@rule("random_uniform", "random_normal")
def random(c: Context, node: Node) -> Tensor:
    shape, dtype = node.attrs["shape"], node.attrs["dtype"]
    uniform = node.op.name == "random_uniform"
    kind = "RandomUniform" if uniform else "RandomNormal"
    first, second = ("low", "high") if uniform else ("mean", "std")
    attrs = {first: node.attrs[first], "high" if uniform else "scale": node.attrs[second]}
    made = dtypes.float32 if dtype.is_half else dtype
    c.note("random numbers are drawn by the ONNX runtime's own generator: they differ from the source's")
    attrs["dtype"] = onnx_type(made)
    if is_static(shape) and numel(shape) != 0 and shape:
        drawn = c.raw(kind, [], [made], {**attrs, "shape": list(shape)})
    else:
        like = c.op("ConstantOfShape", c.dims(shape), dtype=dtypes.float32)
        drawn = c.raw(kind + "Like", [like], [made], attrs)
    return c.cast(drawn[0], dtype)
