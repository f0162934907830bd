"""Truth values."""

from __future__ import annotations

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value


@rule("LogicalAnd")
def logical_and(c: TensorflowContext) -> Value:
    return c.b.and_(c.x(0), c.x(1))


@rule("LogicalOr")
def logical_or(c: TensorflowContext) -> Value:
    return c.b.or_(c.x(0), c.x(1))


@rule("LogicalNot")
def logical_not(c: TensorflowContext) -> Value:
    return c.b.not_(c.x())


@rule("SelectV2")
def select_v2(c: TensorflowContext) -> Value:
    """All three broadcast."""
    return c.b.where(c.x(0), c.x(1), c.x(2))


@rule("Select")
def select(c: TensorflowContext) -> Value:
    """A vector of conditions chooses rows; else there is one condition, or one for each element."""
    condition, x, y = c.x(0), c.x(1), c.x(2)
    if x.type.rank != y.type.rank:
        c.refuse("branches of several ranks, which do not broadcast here")
    rank = x.type.rank
    if condition.type.rank == 1 and rank > 1:
        condition = c.b.unsqueeze(condition, axes=tuple(range(1, rank)))
    elif condition.type.rank not in (0, rank):
        c.refuse(f"a condition of {condition.type} for {x.type}")
    return c.b.where(condition, x, y)
