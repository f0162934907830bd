"""Dropout as tf.nn.dropout spells it: what a uniform draw does not reach the rate of is 0, the rest grows."""

from __future__ import annotations

from ir.core import Model, Value
from ir.core.graph import Node
from ir.core.walk import walk
from ir.passes.base import Rewriter
from ir.passes.patterns import either, is_number, shortest
from ir.passes.simplify_rules import made_by, same_type
from ir.types import same


def settle_dropout(model: Model) -> None:
    """where(draw >= rate, x * (1 / (1 - rate)), 0) as dropout. The graph drops whenever it runs, and so does that."""
    rewriter = Rewriter(model, "dropout")
    for node in walk(model.graph):
        if node.graph is not None and node.op.name == "where":
            _dropout(node, rewriter)


def _dropout(node: Node, rewriter: Rewriter) -> None:
    condition, kept, gone = (node.operand(v.name) for v in node.op.operands)
    test, grown = made_by(condition, "greater_equal"), made_by(kept, "mul")
    if test is None or grown is None or len(condition.uses) != 1 or not is_number(gone, 0.0):
        return
    rate = shortest(test.operand("y"))
    if rate is None or not 0 < rate < 1:
        return
    draw = _uniform(test.operand("x"))
    for x, factor in either(grown):
        shared = _shared(draw, x) if draw is not None else None
        if shared is None or not is_number(factor, 1 / (1 - rate)) or not same_type(x, node):
            continue
        made = rewriter.builder(node).dropout(x, p=rate, broadcast_axes=shared, always=True)
        rewriter.replace(
            node, [made], "dropout", "what the draw reaches the rate of is divided by 1 - rate, the rest is 0"
        )
        return


def _uniform(value: Value) -> Value | None:
    """The draw from [0, 1) that a value is, times 1 and plus 0 or not; only one place may read it."""
    while len(value.uses) == 1:
        draw = made_by(value, "random_uniform")
        if draw is not None:
            return value if draw.attrs["low"] == 0 and draw.attrs["high"] == 1 else None
        node = made_by(value, "mul", "add")
        if node is None:
            return None
        neutral = 1.0 if node.op.name == "mul" else 0.0
        inside = [v for v, other in either(node) if is_number(other, neutral)]
        if not inside:
            return None
        value = inside[0]
    return None


def _shared(draw: Value, x: Value) -> tuple[int, ...] | None:
    """The axes along which elements of x share a draw; None where the shapes do not fit."""
    if draw.type.rank != x.type.rank or draw.type.dtype != x.type.dtype:
        return None
    found = []
    for axis, (n, size) in enumerate(zip(draw.type.shape, x.type.shape, strict=True)):
        if same(n, size):
            continue
        if n != 1:
            return None
        found.append(axis)
    return tuple(found)
