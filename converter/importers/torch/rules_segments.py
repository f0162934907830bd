"""ATen's reductions of parts of an axis: segments."""

from __future__ import annotations

import math

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value
from ir.types import dtypes

_IDENTITY = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}


@rule("aten.segment_reduce.default")
def segment_reduce(c: TorchContext, a: Call) -> Value:
    """Each segment of `axis` starts from `initial`; a mean of nothing is NaN unless it starts from something."""
    x, axis, form = a.value("data"), a.lit("axis"), a.lit("reduce")
    a.lit("unsafe")
    starts, stops = _borders(c, a, axis)
    x = c.b.unsqueeze(x, axes=(axis,))  # [lead, segments, positions, rest]
    rest = tuple(range(axis + 2, x.type.rank))
    positions = c.b.arange(start=0, stop=x.type.shape[axis + 1], step=1, dtype=dtypes.int64)
    after, before = (c.b.unsqueeze(v, axes=(axis + 1,)) for v in (starts, stops))
    inside = c.b.and_(c.b.less_equal(after, positions), c.b.less(positions, before))
    inside = c.b.unsqueeze(inside, axes=rest) if rest else inside
    kind, initial = x.type.dtype, a.lit("initial")
    kept = c.b.where(inside, x, c.constant(_IDENTITY[form], kind))
    out = _reduced(c, kept, form, axis + 1)
    if initial is not None:
        out = _combined(c, out, c.constant(initial, kind), form)
    if form != "mean":
        return out
    counts = c.cast(c.b.sub(stops, starts), kind)
    if initial is not None:
        counts = c.b.maximum(counts, c.constant(1, kind))
    tail = tuple(range(axis + 1, out.type.rank))
    return c.b.div(out, c.b.unsqueeze(counts, axes=tail) if tail else counts)


def _borders(c: TorchContext, a: Call, axis: int) -> tuple[Value, Value]:
    """Where segments start and stop: [lead, segments], int64."""
    offsets = a.optional("offsets")
    if offsets is not None:
        offsets = c.cast(offsets, dtypes.int64)
        count = offsets.type.shape[axis]
        spans = ((0, count - 1), (1, count))
        first, second = (c.b.slice(offsets, axes=(axis,), starts=(i,), stops=(j,), steps=(1,)) for i, j in spans)
        return first, second
    lengths = c.cast(a.value("lengths"), dtypes.int64)
    stops = c.b.cumsum(lengths, axis=axis)
    return c.b.sub(stops, lengths), stops


def _reduced(c: TorchContext, x: Value, form: str, axis: int) -> Value:
    name = {"sum": "reduce_sum", "mean": "reduce_sum", "prod": "reduce_prod", "max": "reduce_max", "min": "reduce_min"}[
        form
    ]
    return getattr(c.b, name)(x, axes=(axis,))


def _combined(c: TorchContext, x: Value, start: Value, form: str) -> Value:
    name = {"sum": "add", "mean": "add", "prod": "mul", "max": "maximum", "min": "minimum"}[form]
    return getattr(c.b, name)(x, start)
