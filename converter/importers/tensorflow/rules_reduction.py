"""Reductions over axes. An empty list of axes reduces nothing."""

from __future__ import annotations

from typing import Any

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import dtypes, normalize_axes, numel


def _over(c: TensorflowContext) -> dict[str, Any]:
    axes = normalize_axes(c.ints(1, "the axes"), c.rank())
    return {"axes": axes, "keepdims": bool(c.attr("keep_dims"))}


@rule("Sum", "Prod", "Max", "Min", "All", "Any")
def reduce(c: TensorflowContext) -> Value:
    return getattr(c.b, f"reduce_{c.op.lower()}")(c.x(), **_over(c))


@rule("Mean")
def mean(c: TensorflowContext) -> Value:
    """Of integers the quotient of sum and count, in 64 bits and towards zero; of no integers, or complex numbers, it is 0."""
    x, over = c.x(), _over(c)
    kind = x.type.dtype
    if kind.is_float:
        return c.b.reduce_mean(x, **over)
    if not over["axes"]:
        return x
    wide = kind if kind.is_complex else dtypes.int64 if kind.kind == "int" else dtypes.uint64
    total = c.b.reduce_sum(c.cast(x, wide), **over)
    count = c.cast(c.b.maximum(_count(c, x, over["axes"]), 1), wide)
    return c.b.div(total, count) if kind.is_complex else c.cast(c.b.trunc_div(total, count), kind)


def _count(c: TensorflowContext, x: Value, axes: tuple[int, ...]) -> Value:
    """How many elements become one."""
    return c.b.dim(size=numel(tuple(x.type.shape[a] for a in axes)))


@rule("EuclideanNorm")
def euclidean_norm(c: TensorflowContext) -> Value:
    """The root of the sum of squares; of complex numbers, of their sizes, as a complex number."""
    x, over = c.x(), _over(c)
    kind = x.type.dtype
    if kind.is_integer:
        c.refuse("norms of integers, whose squares wrap and whose roots are cut off", "cast to a float first")
    if not kind.is_complex:
        if not over["axes"]:
            return c.b.abs(x)
        return c.b.reduce_l2(x, **over)
    return c.b.sqrt(c.b.reduce_sum(c.b.mul(x, c.b.conj(x)), **over))
