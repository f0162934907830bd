"""Comparisons."""

from __future__ import annotations

from collections.abc import Callable

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import dtypes, same

_ORDER = {"Less": "less", "LessEqual": "less_equal", "Greater": "greater", "GreaterEqual": "greater_equal"}


def _order(name: str) -> Callable[[TensorflowContext], Value]:
    return lambda c: getattr(c.b, name)(c.x(0), c.x(1))


for _op, _name in _ORDER.items():
    rule.add(_op, _order(_name), _name)


@rule("Equal", "NotEqual")
def equal(c: TensorflowContext) -> Value:
    """Without `incompatible_shape_error`, tensors whose shapes do not broadcast are unequal as a whole."""
    x, y = c.x(0), c.x(1)
    negated = c.op == "NotEqual"
    if not c.attr("incompatible_shape_error") and _never_broadcast(x, y):
        return c.b.full(shape=(), value=negated, dtype=dtypes.bool_)
    return (c.b.not_equal if negated else c.b.equal)(x, y)


def _never_broadcast(x: Value, y: Value) -> bool:
    pairs = zip(reversed(x.type.shape), reversed(y.type.shape), strict=False)
    return any(same(a, b) is False and same(a, 1) is False and same(b, 1) is False for a, b in pairs)
