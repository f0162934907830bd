"""ATen tensors made from literals and sizes, and random draws."""

from __future__ import annotations

import math
from typing import Any

from converter.importers.torch.context import Call, TorchContext, rule
from converter.importers.torch.dtypes import to_numpy, torch_dtype
from ir.core import Value
from ir.types import DimExpr

_FILL = {"zeros": 0, "ones": 1, "empty": 0, "empty_permuted": 0, "empty_strided": 0}


def _ignore(a: Call, *names: str) -> None:
    """Read arguments whose effect is in the result's type already."""
    for name in names:
        if a.has(name):
            a.raw(name)


def _filled(c: TorchContext, a: Call, number: Any) -> Value:
    dtype = a.dtype
    if dtype.is_complex:
        return c.b.expand(c.constant(number, dtype), shape=a.shape)
    if dtype.is_bool:
        number = bool(number)
    elif dtype.is_integer:
        number = int(number)
    if not a.shape:
        return c.constant(number, dtype)
    return c.b.full(shape=a.shape, value=number, dtype=dtype)


@rule(
    "aten.zeros.default", "aten.ones.default", "aten.empty.memory_format", "aten.new_zeros.default", "aten.new_ones.default",
    "aten.new_empty.default", "aten.zeros_like.default", "aten.ones_like.default", "aten.empty_like.default",
    "aten.empty_permuted.default", "aten.empty_strided.default", "aten.new_empty_strided.default",
)  # fmt: skip
def constant_tensor(c: TorchContext, a: Call) -> Value:
    """Unwritten memory (`empty`) may hold anything: zeros will do."""
    _ignore(a, "size", "dtype", "self", "physical_layout", "stride", "layout")
    name = str(a.node.target).split(".")[1].removeprefix("new_").removesuffix("_like")
    return _filled(c, a, _FILL[name])


@rule("aten.full.default", "aten.new_full.default", "aten.full_like.default")
def full(c: TorchContext, a: Call) -> Value:
    _ignore(a, "size", "dtype", "self", "layout")
    item = a.raw("fill_value")
    if hasattr(item, "meta"):
        return c.b.expand(a.operand("fill_value", a.dtype), shape=a.shape)
    return _filled(c, a, item)


@rule("aten.scalar_tensor.default")
def scalar_tensor(c: TorchContext, a: Call) -> Value:
    a.dtype_arg()
    return a.operand("s", a.dtype)


@rule("aten.fill.Scalar", "aten.fill.Tensor")
def fill(c: TorchContext, a: Call) -> Value:
    a.raw("self")
    value = a.operand("value", a.dtype)
    return value if not a.shape else c.b.expand(value, shape=a.shape)


@rule("aten.zero.default")
def zero(c: TorchContext, a: Call) -> Value:
    a.raw("self")
    return _filled(c, a, 0)


@rule("aten.arange.default", "aten.arange.start", "aten.arange.start_step")
def arange(c: TorchContext, a: Call) -> Value:
    """Of integers between fractions: as many as there are between those, start and step rounded towards zero."""
    _ignore(a, "dtype", "layout")
    defaults: dict[str, Any] = {"start": 0, "end": None, "step": 1}
    start, stop, step = ((_end(a, n) if a.has(n) else d) for n, d in defaults.items())
    if isinstance(start, DimExpr) or isinstance(stop, DimExpr):  # bounds are sizes: 1.0 is as good as 1
        start, stop, step = (int(v) if isinstance(v, float) and v.is_integer() else v for v in (start, stop, step))
    if a.dtype.is_integer and any(isinstance(v, float) and not v.is_integer() for v in (start, stop, step)):
        start, step, (count,) = math.trunc(start), math.trunc(step), a.shape
        stop = start + step * count
    if isinstance(step, DimExpr) and a.dtype.is_integer:  # a step that changes with a size: multiples of it
        count = c.b.arange(start=0, stop=a.shape[0], step=1, dtype=a.dtype)
        return c.b.add(c.b.mul(count, c.size_value(step, a.dtype)), c.size_value(start, a.dtype))
    return c.b.arange(start=start, stop=stop, step=step, dtype=a.dtype)


def _end(a: Call, name: str) -> Any:
    item = a.raw(name)
    return item if isinstance(item, float) else a.dim(name)


@rule("aten.linspace.default", "aten.logspace.default")
def linspace(c: TorchContext, a: Call) -> Value:
    """Fixed numbers: computed once, by torch itself, so that its rounding is kept."""
    import torch

    _ignore(a, "dtype", "layout")
    make = torch.linspace if "linspace" in str(a.node.target) else torch.logspace
    extra = {"base": a.lit("base")} if a.has("base") else {}
    values = make(a.lit("start"), a.lit("end"), a.lit("steps"), dtype=torch_dtype(a.dtype), **extra)
    return c.b.constant(to_numpy(values), a.dtype)


@rule("aten.fft_fftfreq.default", "aten.fft_rfftfreq.default")
def frequencies(c: TorchContext, a: Call) -> Value:
    """Fixed numbers too."""
    import torch

    _ignore(a, "dtype", "layout")
    make = torch.fft.rfftfreq if "rfftfreq" in str(a.node.target) else torch.fft.fftfreq
    return c.b.constant(to_numpy(make(a.lit("n"), a.lit("d"), dtype=torch_dtype(a.dtype))), a.dtype)


@rule("aten.eye.default", "aten.eye.m")
def eye(c: TorchContext, a: Call) -> Value:
    _ignore(a, "dtype", "n", "m", "layout")
    rows, cols = a.shape
    return c.b.eye(rows=rows, cols=cols, dtype=a.dtype)
