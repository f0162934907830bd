"""Reductions of the slices that share a number."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.rules_indexing import backend, indices_of
from ir.core import Value

_REDUCTIONS = {"SegmentSum": "add", "SegmentProd": "mul", "SegmentMax": "max", "SegmentMin": "min"}


@rule("ops.SegmentSum", "ops.SegmentProd", "ops.SegmentMax", "ops.SegmentMin")
def segments(c: KerasContext, op: Any, data: Any, segment_ids: Any) -> Value:
    """Ids out of range are left out (on TensorFlow those above are an error). A segment without slices holds the lowest
    (highest) finite number on TensorFlow, an infinity elsewhere."""
    if op.num_segments is None:
        c.refuse("a number of segments that depends on the data", "give num_segments")
    if op.sorted and backend() == "tensorflow":
        c.refuse("sorted segments", "leave sorted=False: the result is the same")
    value, ids, form = c.value(data), indices_of(c, segment_ids), type(op).__name__
    kind = value.type.dtype
    if backend() == "torch" and (not kind.is_float or kind.name == "float64"):
        c.refuse(f"segments of {kind}, which Keras takes by way of float32 on torch", "cast to float32 first")
    if backend() == "tensorflow":
        c.note(
            "segment numbers beyond the last are an error on TensorFlow; in the converted model their slices are left out"
        )
    found = c.b.segment_reduce(
        value, ids, num_segments=c.dim(op.num_segments), reduction=_REDUCTIONS[form], bounds="drop"
    )
    if form in ("SegmentSum", "SegmentProd") or not kind.is_float:
        return found
    if backend() != "tensorflow":
        return found
    c.note(f"a segment with NaN in it gives NaN; {form} on TensorFlow lets their order decide")
    limit = kind.min if form == "SegmentMax" else kind.max
    return (c.b.maximum if form == "SegmentMax" else c.b.minimum)(found, c.number(limit, kind))
