"""Selection of boxes by their scores, of which none may overlap another too much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ir.core import Builder, Graph, Value
from ir.types import dtypes

Measure = Callable[[Builder, Value, Value], Value]
"""Of what says where boxes lie, and the places [batch, classes, 1] of some: how much every box overlaps them."""


def selected(
    b: Builder, corners: Value, scores: Value, able: Value, limit: Value, threshold: Value
) -> tuple[Value, Value]:
    """Boxes [batch, classes, n] in the order of their scores (equal ones by position), and which are kept: one trip a box.

    A box is kept where it is `able`, overlaps none kept before by more than the 0-d `threshold` (intersection over union,
    rounded to the threshold's type), and fewer than `limit` (0-d int64) are. `corners` [batch, n, 4] hold the lower
    corner, then the upper one.
    """
    return _selected(b, corners, scores, able, limit, threshold, _shared_with)


def selected_by(
    b: Builder, overlaps: Value, scores: Value, able: Value, limit: Value, threshold: Value
) -> tuple[Value, Value]:
    """`selected`, where `overlaps` [batch, n, n] says in row k how much each box overlaps box k."""
    return _selected(
        b, overlaps, scores, able, limit, threshold, lambda b, rows, at: b.gather_nd(rows, at, batch_dims=1)
    )


def _selected(
    b: Builder, places: Value, scores: Value, able: Value, limit: Value, threshold: Value, measure: Measure
) -> tuple[Value, Value]:
    batch, classes, _ = scores.type.shape
    _, order = b.sort(scores, axis=2, descending=True)
    found = b.full(shape=(batch, classes), value=0, dtype="int64")
    carried, fixed = (able, found), (places, limit, threshold)
    body = _keep_one(b, [*(v.type for v in carried), found.type, *(v.type for v in fixed)], measure)
    _, _, kept = b.scan(carried, (order,), fixed, axes=(2,), output_axes=(2,), body=body)
    return order, kept


def _keep_one(outer: Builder, types: list[Any], measure: Measure) -> Graph:
    """A trip: able [b, c, n], found [b, c], place [b, c], places, limit, threshold -> able, found, kept [b, c]."""
    graph = Graph("keep")
    names = ("able", "found", "place", "places", "limit", "threshold")
    able, found, place, places, limit, threshold = (graph.add_input(t, n) for t, n in zip(types, names, strict=True))
    b = Builder(graph, origin=outer.origin)
    at = b.unsqueeze(place, axes=(2,))
    kept = b.and_(b.squeeze(b.gather_elements(able, at, axis=2), axes=(2,)), b.less(found, limit))
    shared = measure(b, places, at)
    if shared.type.dtype != threshold.type.dtype:
        shared = b.cast(shared, to=threshold.type.dtype)
    able = b.and_(able, b.not_(b.and_(b.unsqueeze(kept, axes=(2,)), b.greater(shared, threshold))))
    graph.set_outputs([able, b.add(found, b.cast(kept, to="int64")), kept])
    return graph


def _shared_with(b: Builder, corners: Value, at: Value) -> Value:
    own = b.unsqueeze(b.gather_nd(corners, at, batch_dims=1), axes=(2,))  # [b, c, 1, 4]
    return shared(b, own, b.unsqueeze(corners, axes=(1,)))


def shared(b: Builder, one: Value, other: Value) -> Value:
    """Intersection over union of boxes given by corners in the last axis; -1 where they do not meet."""
    last = max(one.type.rank, other.type.rank) - 1

    def side(x: Value, start: int) -> Value:
        return b.slice(x, axes=(last,), starts=(start,), stops=(start + 2,), steps=(1,))

    def area(size: Value) -> Value:
        return b.mul(b.select(size, axis=last, index=0), b.select(size, axis=last, index=1))

    low, high = b.maximum(side(one, 0), side(other, 0)), b.minimum(side(one, 2), side(other, 2))
    inner = area(b.maximum(b.sub(high, low), 0.0))
    whole = b.sub(b.add(*(area(b.sub(side(x, 2), side(x, 0))) for x in (one, other))), inner)
    meets = b.and_(b.greater(inner, 0.0), b.greater(whole, 0.0))
    return b.where(meets, b.div(inner, b.where(meets, whole, 1.0)), -1.0)


# -- scores that sink ---------------------------------------------------------------------------------------------------
STATE = ("scores", "seen", "waiting", "picked", "values", "found")


def softened(
    b: Builder, corners: Value, scores: Value, limit: Value, least: Value, scale: Value
) -> tuple[Value, Value, Value]:
    """Boxes [n] as they are picked, their scores then, and which places of both are filled (Bodla et al. 2017).

    The waiting box of the highest score (of equal ones the first) is the next. Its score sinks by e**(scale * overlap**2)
    for each box picked since it was looked at last, the latest first. One that did not change is picked; one that is still
    above the 0-d `least` waits on; others are dropped. The end is when `limit` (0-d int64) are picked or none waits.
    `corners` [n, 4] are float32; what they share is rounded to the type of the scores [n].
    """
    count = scores.type.shape[0]
    none = b.full(shape=(count,), value=0, dtype="int64")
    start = (scores, none, b.greater(scores, least), none, b.full(shape=(count,), value=0, dtype=scores.type.dtype),
             b.constant(0, dtypes.int64))  # fmt: skip
    fixed = (corners, limit, least, scale)
    types = [v.type for v in (*start, *fixed)]
    results = b.while_(start, fixed, cond=_is_open(b, types), body=_look_at_one(b, types))
    picked, values, found = results[3:]
    return picked, values, b.less(_count_up(b, count), found)


def _inputs(graph: Graph, types: list[Any]) -> list[Value]:
    return [graph.add_input(t, n) for t, n in zip(types, (*STATE, "corners", "limit", "least", "scale"), strict=True)]


def _count_up(b: Builder, count: Any) -> Value:
    return b.arange(start=0, stop=count, step=1, dtype=dtypes.int64)


def _is_open(outer: Builder, types: list[Any]) -> Graph:
    graph = Graph("open")
    _, _, waiting, _, _, found, _, limit, _, _ = _inputs(graph, types)
    b = Builder(graph, origin=outer.origin)
    graph.set_outputs([b.and_(b.reduce_any(waiting, axes=(0,)), b.less(found, limit))])
    return graph


def _look_at_one(outer: Builder, types: list[Any]) -> Graph:
    graph = Graph("look")
    scores, seen, waiting, picked, values, found, corners, limit, least, scale = _inputs(graph, types)
    b = Builder(graph, origin=outer.origin)
    kind, places = scores.type.dtype, _count_up(b, scores.type.shape[0])
    best = b.argmax(b.where(waiting, scores, -float("inf")), axis=0)

    def of(x: Value) -> Value:
        return b.gather(x, best, axis=0, neg="invalid")

    others = b.gather(corners, picked, axis=0, neg="invalid")
    alike = b.maximum(shared(b, b.unsqueeze(of(corners), axes=(0,)), others), 0.0)
    alike = alike if alike.type.dtype == kind else b.cast(alike, to=kind)
    since = b.and_(b.greater_equal(places, of(seen)), b.less(places, found))
    factors = b.where(since, b.exp(b.mul(b.mul(scale, alike), alike)), 1.0)
    before = of(scores)
    sunk = b.cumprod(b.concat([b.unsqueeze(before, axes=(0,)), b.flip(factors, axes=(0,))], axis=0), axis=0)
    after = b.select(sunk, axis=0, index=-1)
    same = b.equal(after, before)
    waits = b.and_(b.not_(same), b.reduce_all(b.greater(sunk, least), axes=(0,)))
    own, here = b.equal(places, best), b.and_(b.equal(places, found), same)
    graph.set_outputs(
        [b.where(own, after, scores), b.where(own, found, seen), b.where(own, waits, waiting), b.where(here, best, picked),
         b.where(here, after, values), b.add(found, b.cast(same, to=dtypes.int64))]
    )  # fmt: skip
    return graph
