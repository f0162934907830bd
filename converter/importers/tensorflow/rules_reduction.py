"""Reductions over axes. An empty list of axes reduces nothing."""

from __future__ import annotations

from typing import Any

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import dtypes, normalize_axes

_WIDER = {"int8": dtypes.int64, "int16": dtypes.int64, "uint8": dtypes.uint64, "uint16": dtypes.uint64}
"""What means of small integers are added up in."""


def _over(c: TensorflowContext) -> dict[str, Any]:
    axes = normalize_axes(c.ints(1, "the axes"), c.rank())
    return {"axes": axes, "keepdims": bool(c.attr("keep_dims"))}


@rule("Sum", "Prod", "Max", "Min", "All", "Any")
def reduce(c: TensorflowContext) -> Value:
    return getattr(c.b, f"reduce_{c.op.lower()}")(c.x(), **_over(c))


@rule("Mean")
def mean(c: TensorflowContext) -> Value:
    """Of integers the quotient of sum and count, towards zero: small ones in 64 bits, others wrap. Of none it is 0."""
    x, over = c.x(), _over(c)
    kind = x.type.dtype
    if not kind.is_integer:
        return c.b.reduce_mean(x, **over)
    if not over["axes"]:
        return x
    wide = c.cast(x, _WIDER.get(kind.name, kind))
    count = c.b.dim(size=x.type.shape[over["axes"][0]])
    for a in over["axes"][1:]:
        count = c.b.mul(count, c.b.dim(size=x.type.shape[a]))
    count = c.cast(c.b.maximum(count, 1), wide.type.dtype)
    return c.cast(c.b.trunc_div(c.b.reduce_sum(wide, **over), count), kind)


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
