"""Selection of boxes (y1, x1, y2, x2), any two opposite corners, best first."""

from __future__ import annotations

from converter.importers.boxes import selected
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import dtypes


@rule("NonMaxSuppression", "NonMaxSuppressionV2", "NonMaxSuppressionV3")
def non_max_suppression(c: TensorflowContext) -> Value:
    """The kept boxes' positions, as many as there are."""
    order, kept = _kept(c)
    return _positions(c, order, kept)


@rule("NonMaxSuppressionV4")
def counted(c: TensorflowContext) -> list[Value]:
    """Positions, filled up with 0 to the largest number where asked, and how many they are."""
    order, kept = _kept(c)
    return [_filled(c, _positions(c, order, kept)), _count(c, kept)]


@rule("NonMaxSuppressionV5")
def scored(c: TensorflowContext) -> list[Value]:
    """Positions, their scores, and how many they are; scores that others lower are refused."""
    if float(c.fixed(5, "soft_nms_sigma").reshape(())):
        c.refuse("boxes that lower the scores of others (soft_nms_sigma)", "use soft_nms_sigma=0")
    order, kept = _kept(c)
    positions = _positions(c, order, kept)
    scores = c.b.gather(c.x(1), positions, axis=0, neg="invalid")
    return [_filled(c, positions), _filled(c, scores), _count(c, kept)]


def _kept(c: TensorflowContext) -> tuple[Value, Value]:
    """Positions in the order of scores, and which of them are kept: both [n]."""
    b, boxes, scores = c.b, c.x(0), c.x(1)
    kind = scores.type.dtype
    if c.op == "NonMaxSuppression":
        overlap, least = b.constant(float(c.attr("iou_threshold")), kind), b.constant(kind.min, kind)
    else:
        overlap = c.cast(c.x(3), kind)
        least = c.cast(c.x(4), kind) if len(c.inputs) > 4 else b.constant(kind.min, kind)
    first, second = (b.slice(boxes, axes=(1,), starts=(i,), stops=(i + 2,), steps=(1,)) for i in (0, 2))
    corners = b.concat([b.minimum(first, second), b.maximum(first, second)], axis=1)
    able = b.greater(scores, least)
    limit = c.cast(c.x(2), dtypes.int64)
    order, kept = selected(
        b,
        b.unsqueeze(corners, axes=(0,)),
        b.unsqueeze(scores, axes=(0, 1)),
        b.unsqueeze(able, axes=(0, 1)),
        limit,
        overlap,
    )
    return b.squeeze(order, axes=(0, 1)), b.squeeze(kept, axes=(0, 1))


def _positions(c: TensorflowContext, order: Value, kept: Value) -> Value:
    places = c.b.nonzero(kept, symbol=c.importer.fresh_symbol("count"))
    found = c.b.gather(order, c.b.squeeze(places, axes=(1,)), axis=0, neg="invalid")
    return c.cast(found, dtypes.int32)


def _count(c: TensorflowContext, kept: Value) -> Value:
    return c.b.reduce_sum(c.b.cast(kept, to=dtypes.int32), axes=(0,), keepdims=False)


def _filled(c: TensorflowContext, values: Value) -> Value:
    """Zeros behind, up to the largest number, where asked."""
    if not c.attr("pad_to_max_output_size"):
        return values
    b, size = c.b, c.ints(2, "the largest number of boxes, to which the result is filled up,")[0]
    zeros = b.full(shape=(size,), value=0, dtype=values.type.dtype)
    cut = b.slice(b.concat([values, zeros], axis=0), axes=(0,), starts=(0,), stops=(size,), steps=(1,))
    return cut if cut.type.shape == (size,) else b.reshape(cut, shape=(size,))
