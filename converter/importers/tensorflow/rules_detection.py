"""Selection of boxes (y1, x1, y2, x2), any two opposite corners, best first."""

from __future__ import annotations

import numpy as np

from converter.importers.boxes import selected, selected_by, softened
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Builder, Value
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
    """Positions, their scores, which others lower where `soft_nms_sigma` is above 0, and how many they are."""
    sigma = float(c.fixed(5, "soft_nms_sigma").reshape(()))
    if sigma < 0:
        c.refuse(f"soft_nms_sigma={sigma}, which TensorFlow refuses, too")
    if sigma:
        order, values, kept = _sunk(c, sigma)
        places = _places(c, kept)
        positions, scores = (c.b.gather(v, places, axis=0, neg="invalid") for v in (order, values))
        positions = c.cast(positions, dtypes.int32)
    else:
        order, kept = _kept(c)
        positions = _positions(c, order, kept)
        scores = c.b.gather(c.x(1), positions, axis=0, neg="invalid")
    return [_filled(c, positions), _filled(c, scores), _count(c, kept)]


@rule("NonMaxSuppressionWithOverlaps")
def by_overlaps(c: TensorflowContext) -> Value:
    """Positions, of boxes whose overlaps [box, kept box] are given."""
    b, scores = c.b, c.x(1)
    rows = b.unsqueeze(b.transpose(c.x(0), perm=(1, 0)), axes=(0,))
    able, limit = b.greater(scores, c.x(4)), c.cast(c.x(2), dtypes.int64)
    scores, able = (b.unsqueeze(v, axes=(0, 1)) for v in (scores, able))
    order, kept = selected_by(b, rows, scores, able, limit, c.x(3))
    return _positions(c, b.squeeze(order, axes=(0, 1)), b.squeeze(kept, axes=(0, 1)))


@rule("CombinedNonMaxSuppression")
def combined(c: TensorflowContext) -> list[Value]:
    """Boxes [batch, most, 4], their scores and classes, best first over all classes, zeros behind, and how many there are."""
    b, boxes, scores = c.b, c.x(0), c.x(1)
    each, most = (c.ints(i, what)[0] for i, what in ((2, "the largest number for a class"), (3, "the largest number")))
    batch, count, classes = scores.type.shape
    if not isinstance(classes, int) or not isinstance(boxes.type.shape[2], int):
        c.refuse("a number of classes that is not known at conversion")
    if each <= 0 or most <= 0:
        c.refuse(f"at most {each} boxes of a class and {most} in all, which TensorFlow refuses, too")
    c.note(
        "boxes of exactly equal scores: TensorFlow takes them in an order of its own; the converted model takes the first"
    )
    most = min(most, each * classes) if c.attr("pad_per_class") else most
    sets = boxes.type.shape[2]  # of boxes: one for all classes, or one for each
    lead = (batch, classes) if sets == 1 else (batch * classes, 1)
    laid = b.transpose(boxes, perm=(0, 2, 1, 3))
    rated = b.reshape(b.transpose(scores, perm=(0, 2, 1)), shape=(*lead, count))
    corners = _corners(b, b.reshape(laid, shape=(lead[0], count, 4)))
    able, limit = b.greater(rated, c.x(5)), b.constant(each, dtypes.int64)
    order, kept = selected(b, corners, rated, able, limit, c.x(4))
    left = b.where(kept, b.gather_elements(rated, order, axis=2), -np.inf)
    spare = b.full(shape=(batch, most), value=-np.inf, dtype=left.type.dtype)
    flat = (batch, classes * count)
    values, at = b.top_k(b.concat([b.reshape(left, shape=flat), spare], axis=1), k=most, axis=1)
    filled = b.greater(values, -np.inf)
    kind = b.arange(start=0, stop=classes, step=1, dtype=dtypes.int64)
    kind = b.reshape(b.expand(b.reshape(kind, shape=(1, classes, 1)), shape=(batch, classes, count)), shape=flat)
    none = b.full(shape=(batch, most), value=0, dtype=dtypes.int64)
    owner, place = (
        b.gather_elements(b.concat([v, none], axis=1), at, axis=1) for v in (kind, b.reshape(order, shape=flat))
    )
    index = b.stack([owner if sets > 1 else b.mul(owner, 0), place], axis=2)
    found = b.gather_nd(b.pad(laid, pads=((0, 0), (0, 0), (0, 1), (0, 0)), value=0.0), index, batch_dims=1)
    if c.attr("clip_boxes"):
        found = b.clip(found, 0.0, 1.0)
    count_up = b.reduce_sum(b.cast(filled, to=dtypes.int32), axes=(1,), keepdims=False)
    numbers = (b.where(filled, v, 0.0) for v in (values, b.cast(owner, to=values.type.dtype)))
    return [b.where(b.unsqueeze(filled, axes=(2,)), found, 0.0), *numbers, count_up]


def _kept(c: TensorflowContext) -> tuple[Value, Value]:
    """Positions in the order of scores, and which of them are kept: both [n]. Overlaps are float32, then of the scores' type."""
    b, scores = c.b, c.x(1)
    kind = scores.type.dtype
    if c.op == "NonMaxSuppression":
        overlap, least = b.constant(float(c.attr("iou_threshold")), kind), b.constant(kind.min, kind)
    else:
        overlap = c.cast(c.x(3), kind)
        least = c.cast(c.x(4), kind) if len(c.inputs) > 4 else b.constant(kind.min, kind)
    corners = _corners(b, c.cast(c.x(0), dtypes.float32))
    able, limit = b.greater(scores, least), c.cast(c.x(2), dtypes.int64)
    scores, able = (b.unsqueeze(v, axes=(0, 1)) for v in (scores, able))
    order, kept = selected(b, b.unsqueeze(corners, axes=(0,)), scores, able, limit, overlap)
    return b.squeeze(order, axes=(0, 1)), b.squeeze(kept, axes=(0, 1))


def _sunk(c: TensorflowContext, sigma: float) -> tuple[Value, Value, Value]:
    """Positions as they are picked, their scores then, and which places of both are filled: all [n]."""
    b, scores = c.b, c.x(1)
    kind = scores.type.dtype
    scale = np.asarray(-0.5, kind.numpy) / np.asarray(sigma, kind.numpy)
    corners, limit = _corners(b, c.cast(c.x(0), dtypes.float32)), c.cast(c.x(2), dtypes.int64)
    return softened(b, corners, scores, b.reshape(limit, shape=()), c.cast(c.x(4), kind), b.constant(scale))


def _corners(b: Builder, boxes: Value) -> Value:
    """The lower corner, then the upper one, in the last axis."""
    last = boxes.type.rank - 1
    first, second = (b.slice(boxes, axes=(last,), starts=(i,), stops=(i + 2,), steps=(1,)) for i in (0, 2))
    return b.concat([b.minimum(first, second), b.maximum(first, second)], axis=last)


def _positions(c: TensorflowContext, order: Value, kept: Value) -> Value:
    return c.cast(c.b.gather(order, _places(c, kept), axis=0, neg="invalid"), dtypes.int32)


def _places(c: TensorflowContext, kept: Value) -> Value:
    """Where a mask [n] holds."""
    return c.b.squeeze(c.b.nonzero(kept, symbol=c.importer.fresh_symbol("count")), axes=(1,))


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
