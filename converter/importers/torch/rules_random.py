"""ATen random draws. What they are drawn into (`x.new_empty(shape).bernoulli_(p)`) lends its shape and type only."""

from __future__ import annotations

from converter.importers.base import Refusal
from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value
from ir.types import dtypes


def _target(a: Call) -> None:
    """Read arguments whose effect is in the result's type already; refuse a generator of the model's own."""
    for name in ("self", "size", "dtype", "layout"):
        if a.has(name):
            a.raw(name)
    if a.has("generator") and a.raw("generator") is not None:
        raise Refusal("draws from a generator of its own", "draw from torch's default generator")


def _uniform(c: TorchContext, a: Call, low: float = 0.0, high: float = 1.0) -> Value:
    value: Value = c.b.random_uniform(shape=a.shape, low=low, high=high, dtype=a.dtype)
    return value


@rule("aten.rand.default", "aten.rand_like.default")
def rand(c: TorchContext, a: Call) -> Value:
    _target(a)
    return _uniform(c, a)


@rule("aten.uniform.default")
def uniform(c: TorchContext, a: Call) -> Value:
    _target(a)
    return _uniform(c, a, float(a.lit("from")), float(a.lit("to")))


@rule("aten.randn.default", "aten.randn_like.default")
def randn(c: TorchContext, a: Call) -> Value:
    _target(a)
    return c.b.random_normal(shape=a.shape, dtype=a.dtype)


@rule("aten.normal_functional.default", "aten.normal.float_float")
def normal(c: TorchContext, a: Call) -> Value:
    _target(a)
    return c.b.random_normal(shape=a.shape, mean=float(a.lit("mean")), std=float(a.lit("std")), dtype=a.dtype)


@rule("aten.exponential.default")
def exponential(c: TorchContext, a: Call) -> Value:
    """By inversion: -log(1 - u) / lambda."""
    _target(a)
    kept = c.b.sub(c.constant(1, a.dtype), _uniform(c, a))
    return c.b.div(c.b.neg(c.b.log(kept)), c.constant(float(a.lit("lambd")), a.dtype))


@rule("aten.randint.default", "aten.randint.low", "aten.randint_like.default", "aten.randint_like.low_dtype")
def randint(c: TorchContext, a: Call) -> Value:
    """The whole part of uniform numbers, drawn in float64."""
    _target(a)
    low, high = int(a.lit("low")) if a.has("low") else 0, int(a.lit("high"))
    drawn = c.b.random_uniform(shape=a.shape, low=float(low), high=float(high), dtype=dtypes.float64)
    return c.cast(c.b.floor(drawn), a.dtype)


@rule("aten.bernoulli.p")
def bernoulli(c: TorchContext, a: Call) -> Value:
    _target(a)
    kind = a.dtype if a.dtype.is_float else dtypes.float32
    p = c.b.full(shape=a.shape, value=float(a.lit("p")), dtype=kind) if a.shape else c.constant(float(a.lit("p")), kind)
    return c.b.bernoulli(p, dtype=a.dtype)


@rule("aten.bernoulli.default", "aten.bernoulli.Tensor")
def bernoulli_of(c: TorchContext, a: Call) -> Value:
    p = a.value("p" if a.has("p") else "self")
    _target(a)
    return c.b.bernoulli(p, dtype=a.dtype)


@rule("aten.randperm.default")
def randperm(c: TorchContext, a: Call) -> Value:
    """The order of uniform numbers."""
    _target(a)
    a.dim("n")
    _, order = c.b.sort(c.b.random_uniform(shape=a.shape, dtype=dtypes.float64), axis=0)
    return c.cast(order, a.dtype)
