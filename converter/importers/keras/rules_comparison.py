"""Comparisons."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import flat, on_tensorflow, strong
from ir.core import Value

_TABLE = {
    "Equal": "equal", "NotEqual": "not_equal", "Greater": "greater", "GreaterEqual": "greater_equal", "Less": "less",
    "LessEqual": "less_equal",
}  # fmt: skip


def _compare(name: str, op: str) -> None:
    def convert(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
        x, y = strong(c, x1, x2)
        if x.type.dtype.is_bool and op not in ("equal", "not_equal"):
            c.refuse("an order of booleans", "cast them first")
        return getattr(c.b, op)(x, y)

    rule.add(f"ops.{name}", convert, op)


for _name, _op in _TABLE.items():
    _compare(_name, _op)


def _close(c: KerasContext, x: Value, y: Value, rtol: float, atol: float) -> Value:
    kind = x.type.dtype
    bound = c.b.add(c.number(atol, kind), c.b.mul(c.number(rtol, kind), c.b.abs(y)))
    return c.b.less_equal(c.b.abs(c.b.sub(x, y)), bound)


@rule("ops.Isclose")
def isclose(c: KerasContext, op: Any, x1: Any, x2: Any, rtol: Any = 1e-5, atol: Any = 1e-8) -> Value:
    """On TensorFlow equal infinities are not close (their difference is NaN), and all is close to an infinity else."""
    x, y = strong(c, x1, x2)
    if not x.type.dtype.is_float:
        return c.b.equal(x, y)
    found = _close(c, x, y, float(rtol), float(atol))
    if not on_tensorflow():
        found = c.b.or_(c.b.and_(found, c.b.and_(c.b.isfinite(x), c.b.isfinite(y))), c.b.equal(x, y))
    return c.b.or_(found, c.b.and_(c.b.isnan(x), c.b.isnan(y))) if op.equal_nan else found


@rule("ops.AllClose")
def allclose(c: KerasContext, op: Any, x1: Any, x2: Any) -> Value:
    x, y = strong(c, x1, x2)
    found = c.b.equal(x, y)
    if x.type.dtype.is_float:
        finite = c.b.and_(c.b.isfinite(x), c.b.isfinite(y))
        found = c.b.or_(c.b.and_(finite, _close(c, x, y, float(op.rtol), float(op.atol))), found)
        if op.equal_nan:
            found = c.b.or_(found, c.b.and_(c.b.isnan(x), c.b.isnan(y)))
    return c.b.reduce_all(found)


@rule("ops.IsIn")
def isin(c: KerasContext, op: Any, x1: Any, x2: Any) -> Value:
    """TensorFlow answers False for every element where there is nothing to be in, inverted or not."""
    x, y = strong(c, x1, x2)
    entries = flat(c, y)
    found = c.b.reduce_any(c.b.equal(c.b.unsqueeze(x, axes=(x.type.rank,)), entries), axes=(x.type.rank,))
    if not op.invert:
        return found
    size = entries.type.shape[0]
    if on_tensorflow() and size == 0:
        return found
    if on_tensorflow() and not isinstance(size, int):
        some = c.b.greater(c.b.dim(size=size), c.b.constant(0))
        return c.b.and_(c.b.not_(found), some)
    return c.b.not_(found)
