"""Selection of boxes by their scores, of which none may overlap another too much: one trip a box, best first."""

from __future__ import annotations

from typing import Any

from ir.core import Builder, Graph, Value


def selected(
    b: Builder, corners: Value, scores: Value, able: Value, limit: Value, threshold: Value
) -> tuple[Value, Value]:
    """Boxes [batch, classes, n] in the order of their scores (equal ones by position), and which are kept.

    A box is kept where it is `able`, overlaps none kept before by more than the 0-d `threshold` (intersection over union),
    and fewer than `limit` (0-d int64) are. `corners` [batch, n, 4] hold the lower corner, then the upper one.
    """
    batch, classes, _ = scores.type.shape
    _, order = b.sort(scores, axis=2, descending=True)
    found = b.full(shape=(batch, classes), value=0, dtype="int64")
    carried, fixed = (able, found), (corners, limit, threshold)
    body = _keep_one(b, [*(v.type for v in carried), found.type, *(v.type for v in fixed)])
    _, _, kept = b.scan(carried, (order,), fixed, axes=(2,), output_axes=(2,), body=body)
    return order, kept


def _keep_one(outer: Builder, types: list[Any]) -> Graph:
    """A trip: able [b, c, n], found [b, c], place [b, c], corners [b, n, 4], limit, threshold -> able, found, kept [b, c]."""
    graph = Graph("keep")
    names = ("able", "found", "place", "corners", "limit", "threshold")
    able, found, place, corners, limit, threshold = (graph.add_input(t, n) for t, n in zip(types, names, strict=True))
    b = Builder(graph, origin=outer.origin)
    at = b.unsqueeze(place, axes=(2,))
    kept = b.and_(b.squeeze(b.gather_elements(able, at, axis=2), axes=(2,)), b.less(found, limit))
    own = b.unsqueeze(b.gather_nd(corners, at, batch_dims=1), axes=(2,))  # [b, c, 1, 4]
    overlap = b.greater(_shared(b, own, b.unsqueeze(corners, axes=(1,))), threshold)
    able = b.and_(able, b.not_(b.and_(b.unsqueeze(kept, axes=(2,)), overlap)))
    graph.set_outputs([able, b.add(found, b.cast(kept, to="int64")), kept])
    return graph


def _shared(b: Builder, one: Value, other: Value) -> Value:
    """Intersection over union of boxes given by corners in the last axis; -1 where they do not meet."""

    def side(x: Value, start: int) -> Value:
        return b.slice(x, axes=(3,), starts=(start,), stops=(start + 2,), steps=(1,))

    def area(size: Value) -> Value:
        return b.mul(b.select(size, axis=3, index=0), b.select(size, axis=3, index=1))

    low, high = b.maximum(side(one, 0), side(other, 0)), b.minimum(side(one, 2), side(other, 2))
    inner = area(b.maximum(b.sub(high, low), 0.0))
    whole = b.sub(b.add(*(area(b.sub(side(x, 2), side(x, 0))) for x in (one, other))), inner)
    meets = b.and_(b.greater(inner, 0.0), b.greater(whole, 0.0))
    return b.where(meets, b.div(inner, b.where(meets, whole, 1.0)), -1.0)
