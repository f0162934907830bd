"""Folds over small integer tensors: known elements, symbolic sizes, and `Element` for what only the run knows.

A fold gives None where it cannot say exactly what a node computes; the node is then imported like any other. Movement
passes unknown elements on, arithmetic gives up on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from converter.importers.partial.context import PartialContext
from converter.importers.partial.values import SMALL, Element, Ref, known, objects
from ir.types import Dim, DimExpr, DType, dim_max, dim_min, dtypes, floordiv, mod, same
from ir.types.dim import bounds

Fold = Callable[[Any], "Ref | None"]


def foldable(ref: Any) -> bool:
    """Whether a tensor is looked into: one of integers, booleans or wide floats, small enough."""
    return (
        isinstance(ref, Ref)
        and (ref.dtype.is_integer or ref.dtype.is_bool or (ref.dtype.is_float and ref.dtype.bits >= 32))
        and ref.elements() is not None
    )


def is_weightlike(ref: Ref) -> bool:
    """A stored float with axes: it may be a parameter, so it keeps its name and its nodes."""
    return ref.stored is not None and ref.dtype.is_float and (ref.type.rank > 0 or ref.stored.record is not None)


def contents(c: PartialContext) -> list[np.ndarray]:
    """The elements of every operand."""
    return [e for r in c.inputs if r is not None and (e := r.elements()) is not None]


def first(c: PartialContext) -> np.ndarray:
    """The elements of the first operand."""
    return contents(c)[0]


def done(dtype: DType, content: np.ndarray | None) -> Ref | None:
    """A result worth keeping: small, and not all of it unknown (such a tensor is better left to its own node)."""
    if content is None or content.size > SMALL or (content.size and all(isinstance(e, Element) for e in content.flat)):
        return None
    return known(dtype, content)


def moved(fold: Callable[[Any], np.ndarray | None]) -> Fold:
    """A fold that only moves elements of the first operand."""
    return lambda c: done(c.ref(0).dtype, fold(c))


def cast(c: PartialContext, target: DType) -> Ref | None:
    """The first operand as another type; None where that is narrow, or a number does not fit."""
    if target.bits < 32 and not target.is_bool:
        return None
    out = [_cast_element(e, target) for e in first(c).flat]
    return None if any(e is None for e in out) else done(target, filled(out, first(c).shape))


def _cast_element(e: Any, target: DType) -> Any:
    if isinstance(e, DimExpr):
        return None if target.is_bool else e
    if isinstance(e, Element) or (isinstance(e, float) and target.is_integer and not abs(e) < 2**31):
        return None
    return objects(np.asarray(e).astype(target.numpy))[()]


# -- arithmetic ---------------------------------------------------------------------------------------------------------
def elementwise(fold: Callable[..., Any], exact: Callable[..., np.ndarray] | None, result: DType | None = None) -> Fold:
    """Element by element. `exact` computes plain numbers in their dtype; `fold` takes sizes and may return None."""

    def run(c: PartialContext) -> Ref | None:
        dtype = result or c.ref(0).dtype
        arrays = [c.const(i) for i in range(len(c.inputs))]
        if exact is not None and all(a is not None for a in arrays):
            with np.errstate(all="ignore"):
                out = np.asarray(exact(*arrays)).astype(dtype.numpy)
            return done(dtype, objects(out))
        spread = np.broadcast_arrays(*contents(c))
        if spread[0].size > SMALL or c.ref(0).dtype.kind == "uint":
            return None
        elements = [
            None if any(isinstance(e, Element) for e in row) else fold(*row)
            for row in zip(*(a.flat for a in spread), strict=True)
        ]
        return None if any(e is None for e in elements) else done(dtype, filled(elements, spread[0].shape))

    return run


def whole(e: Any) -> Dim | None:
    """An element as a size: integers, size expressions and floats that are whole numbers."""
    if isinstance(e, float):
        return int(e) if e.is_integer() else None
    return e


def on_dims(fold: Callable[..., Any]) -> Callable[..., Any]:
    """A fold over sizes, given up where an element is a fraction."""

    def run(*elements: Any) -> Any:
        dims = [whole(e) for e in elements]
        return None if any(d is None for d in dims) else fold(*dims)

    return run


def divide(a: Dim, b: Dim) -> Dim | None:
    """C division, towards zero; only by divisors that cannot be negative."""
    low = bounds(b)[0]
    if low is None or low < 0 or b == 0:
        return None
    low = bounds(a)[0]
    if low is not None and low >= 0:
        return floordiv(a, b)
    return floordiv(dim_max(a, 0), b) - floordiv(dim_max(0 - a, 0), b)


def true_divide(a: Dim, b: Dim) -> Dim | None:
    """A quotient that is certainly whole."""
    if b == 0:
        return None
    quotient = floordiv(a, b)
    return quotient if quotient * b == a else None


def int_divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Division of numbers, towards zero."""
    from ir.ops import get

    return get("trunc_div").evaluate(x=a, y=b)


def compare(below: bool | None, equal: bool) -> Callable[[Any, Any], bool | None]:
    """`a < b` (below), `a > b` (not below) or `a == b` (None) over sizes; None where it depends on the run."""

    def fold(a: Any, b: Any) -> bool | None:
        if below is None:
            return same(a, b)
        low, high = bounds(a - b if below else b - a)
        if high is not None and (high < 0 or (equal and high == 0)):
            return True
        return False if low is not None and (low > 0 or (not equal and low == 0)) else None

    return on_dims(fold)


def comparison(below: bool | None, equal: bool, exact: Callable[..., np.ndarray]) -> Fold:
    """A comparison of numbers and of sizes."""
    return elementwise(compare(below, equal), exact, dtypes.bool_)


def is_size(e: Any) -> bool:
    """Whether an element is a number or expression that may be a size."""
    return isinstance(e, (int, DimExpr)) and not isinstance(e, bool)


def logic(exact: Callable[..., np.ndarray]) -> Fold:
    """A fold of truth values."""
    return elementwise(lambda *_: None, exact, dtypes.bool_)


def rounding(exact: Callable[..., np.ndarray]) -> Fold:
    """A fold that leaves sizes as they are."""
    return elementwise(on_dims(lambda d: d), exact)


def only_numbers(exact: Callable[..., np.ndarray]) -> Fold:
    """A fold of plain numbers."""
    return elementwise(lambda *_: None, exact)


def reduced(content: np.ndarray, fold: Callable[[Dim, Dim], Dim], start: Dim | None) -> Dim | None:
    """A vector of sizes reduced to one; None where it is no such vector, or empty without a start."""
    if content.ndim != 1 or not all(map(is_size, content)) or (start is None and not content.size):
        return None
    values = list(content)
    total = values.pop() if start is None else start
    for v in reversed(values):
        total = fold(v, total)
    return total


def broadcast(c: PartialContext, target: np.ndarray | None) -> np.ndarray | None:
    """The first operand broadcast to a known shape."""
    if target is None or math.prod(int(t) for t in target) > SMALL:
        return None
    return np.broadcast_to(first(c), np.broadcast_shapes(first(c).shape, tuple(int(t) for t in target)))


def tile(c: PartialContext, repeats: np.ndarray | None) -> np.ndarray | None:
    """The first operand repeated along its axes."""
    if repeats is None or math.prod(int(r) for r in repeats) * first(c).size > SMALL:
        return None
    return np.tile(first(c), tuple(int(r) for r in repeats))


def chosen(c: PartialContext) -> Ref | None:
    """Elements of the second or the third operand, by a known condition."""
    condition = c.const(0)
    if condition is None:
        return None
    _, x, y = contents(c)
    return done(c.ref(1).dtype, np.where(condition, x, y))


def span(c: PartialContext) -> Ref | None:
    """A range of known integers."""
    bounds_ = [c.const(i) for i in range(3)]
    if any(b is None for b in bounds_) or not c.ref(0).dtype.is_integer:
        return None
    start, limit, delta = (int(b) for b in bounds_ if b is not None)
    if delta == 0 or (limit - start) // delta > SMALL:
        return None
    return known(c.ref(0).dtype, filled(list(range(start, limit, delta))))


def c_divide(c: PartialContext) -> Ref | None:
    """Division as C does it: whole numbers towards zero."""
    if c.ref(0).dtype.is_float:
        return elementwise(on_dims(true_divide), np.divide)(c)
    return elementwise(divide, int_divide)(c)


ADD = elementwise(on_dims(lambda a, b: a + b), np.add)
SUB = elementwise(on_dims(lambda a, b: a - b), np.subtract)
MUL = elementwise(on_dims(lambda a, b: a * b), np.multiply)
NEG = elementwise(on_dims(lambda a: 0 - a), np.negative)
MAX = elementwise(on_dims(dim_max), np.maximum)
MIN = elementwise(on_dims(dim_min), np.minimum)
REMAINDER = elementwise(lambda a, b: None if bounds(b)[0] in (None, 0) else mod(a, b), np.mod)
"""With the sign of the divisor."""
COMPARISONS: dict[str, Fold] = {
    "Equal": comparison(None, True, np.equal), "Less": comparison(True, False, np.less),
    "Greater": comparison(False, False, np.greater), "LessOrEqual": comparison(True, True, np.less_equal),
    "GreaterOrEqual": comparison(False, True, np.greater_equal),
}  # fmt: skip
ROUNDINGS: dict[str, Fold] = {"Floor": rounding(np.floor), "Ceil": rounding(np.ceil), "Round": rounding(np.rint)}


# -- arrays of objects --------------------------------------------------------------------------------------------------
def filled(elements: list[Any], shape: tuple[int, ...] | None = None) -> np.ndarray:
    """An object array of the elements, a vector unless a shape is given."""
    out = np.empty(len(elements), object)
    for i, e in enumerate(elements):
        out[i] = e
    return out if shape is None else out.reshape(shape)


def as_objects(found: Any) -> np.ndarray:
    """An object array also where NumPy hands out the bare element of a 0-d result."""
    if isinstance(found, np.ndarray) and found.dtype == object:
        return found
    out = np.empty((), object)
    out[()] = found
    return out
