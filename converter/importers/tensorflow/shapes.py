"""The partial evaluator: chains over small integer tensors become sizes instead of nodes.

`Shape -> StridedSlice -> Mul -> Pack -> Reshape` ends as attributes of the reshape. A fold gives None where it cannot say
exactly what the node computes; the node's rule then takes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from converter.importers.partial import folds
from converter.importers.partial.folds import as_objects, contents, done, filled, first, foldable, is_weightlike, moved
from converter.importers.partial.values import SMALL, Element, Ref
from converter.importers.tensorflow.context import TensorflowContext
from ir.types import Dim, dim_max, dim_min, dtypes, floordiv
from ir.types.dim import bounds

Results = "list[Ref] | None"


def evaluate(c: TensorflowContext) -> list[Ref] | None:
    """The known results of a node, or None."""
    fold = FOLDS.get(c.op)
    if fold is None or not c.inputs or not all(map(foldable, c.inputs)) or _moves_weight(c):
        return None
    try:
        found = fold(c)
    except (IndexError, OverflowError, ValueError):
        return None  # operands that do not fit: the rule says how
    return found if found is None or isinstance(found, list) else [found]


def _moves_weight(c: TensorflowContext) -> bool:
    """Whether a fold would make numbers of what may be a parameter: it is the tensor moved, or nothing computed meets it."""
    if c.op in _MOVES:
        return is_weightlike(c.inputs[_MOVES[c.op]])
    computed = any(r.dtype.is_float and r.stored is None for r in c.inputs)
    return not computed and any(map(is_weightlike, c.inputs))


# -- movement ---------------------------------------------------------------------------------------------------------
def _pack(c: TensorflowContext) -> np.ndarray:
    return np.stack(contents(c), axis=c.attr("axis"))


def _concat(c: TensorflowContext) -> Ref | None:
    at = 0 if c.op == "Concat" else len(c.inputs) - 1
    axis = c.const(at)
    parts = [e for i, e in enumerate(contents(c)) if i != at]
    if axis is None:
        return None
    return done(c.ref(1 - min(at, 1)).dtype, np.concatenate(parts, axis=int(axis.reshape(()))))


def _gather(c: TensorflowContext) -> np.ndarray | None:
    if c.op == "GatherV2" and c.attr("batch_dims"):
        return None
    axis = np.zeros((), np.int64) if c.op == "Gather" else c.const(2)
    indices = c.const(1)
    if indices is None or axis is None:
        return None
    size = first(c).shape[int(axis.reshape(()))]
    if np.any(indices >= size) or np.any(indices < 0):
        return None
    return as_objects(np.take(first(c), indices.astype(np.int64), axis=int(axis.reshape(()))))


def _expand_dims(c: TensorflowContext) -> np.ndarray | None:
    axis = c.const(1)
    return None if axis is None else np.expand_dims(first(c), int(axis.reshape(())))


def _squeeze(c: TensorflowContext) -> np.ndarray | None:
    axes = tuple(c.attr("squeeze_dims"))
    if any(first(c).shape[a] != 1 for a in axes):
        return None
    return as_objects(np.squeeze(first(c), axis=axes or None))


def _reshape(c: TensorflowContext) -> np.ndarray | None:
    target = c.const(1)
    return None if target is None else first(c).reshape([int(d) for d in target.reshape(-1)])


def _transpose(c: TensorflowContext) -> np.ndarray | None:
    perm = c.const(1)
    return None if perm is None else first(c).transpose([int(p) for p in perm])


def _strided_slice(c: TensorflowContext) -> np.ndarray | None:
    from converter.importers.tensorflow.rules_slicing import pieces

    index: list[Any] = []
    for piece in pieces(c, first(c).ndim):
        ends = (piece.start, piece.stop)
        if any(isinstance(e, Element) or not (e is None or isinstance(e, int)) for e in ends):
            return None
        if piece.kind == "index" and not -first(c).shape[piece.axis] <= piece.start < first(c).shape[piece.axis]:
            return None
        index.append(
            None if piece.kind == "new" else piece.start if piece.kind == "index" else slice(*ends, piece.step)
        )
    return as_objects(first(c)[tuple(index)])


def _slice(c: TensorflowContext) -> np.ndarray | None:
    begin, size = c.const(1), c.const(2)
    if begin is None or size is None:
        return None
    rows = list(zip(begin.tolist(), size.tolist(), first(c).shape, strict=True))
    if any(b < 0 or (n != -1 and (n < 0 or b + n > whole)) for b, n, whole in rows):
        return None
    return first(c)[tuple(slice(b, whole if n == -1 else b + n) for b, n, whole in rows)]


def _unpack(c: TensorflowContext) -> list[Ref] | None:
    axis = c.attr("axis")
    data = np.moveaxis(first(c), axis, 0)
    if len(data) != c.attr("num") or any(isinstance(e, Element) for e in data.flat):
        return None
    return [Ref(c.type().with_shape(as_objects(e).shape), known=as_objects(e)) for e in data]


def _reverse(c: TensorflowContext) -> np.ndarray | None:
    axes = c.const(1)
    return None if axes is None else np.flip(first(c), tuple(int(a) for a in axes.reshape(-1)))


def _permute(c: TensorflowContext) -> np.ndarray:
    from converter.importers.tensorflow.rules_shape import format_order

    return first(c)[format_order(c)]


def _fill(c: TensorflowContext) -> Ref | None:
    shape, value = c.const(0), contents(c)[1]
    kind = c.ref(1).dtype
    if shape is None or np.any(shape < 0) or math.prod(map(int, shape)) > SMALL or value.ndim or kind.is_float:
        return None
    sizes = tuple(int(d) for d in shape)
    return done(kind, filled([value[()]] * math.prod(sizes), sizes))


def _like(number: int) -> folds.Fold:
    def run(c: TensorflowContext) -> Ref | None:
        kind = c.ref(0).dtype
        if kind.is_float:
            return None
        element = bool(number) if kind.is_bool else number
        return done(kind, filled([element] * first(c).size, first(c).shape))

    return run


def _cast(c: TensorflowContext) -> Ref | None:
    return None if not hasattr(c.attr("DstT"), "bits") else folds.cast(c, c.attr("DstT"))


def _where(c: TensorflowContext) -> Ref | None:
    array = c.const(0)
    if array is None or array.ndim == 0:
        return None
    found = np.argwhere(array)
    return done(dtypes.int64, filled(found.reshape(-1).tolist(), found.shape))


# -- arithmetic ---------------------------------------------------------------------------------------------------------
def _floor_divide(a: Dim, b: Dim) -> Dim | None:
    low = bounds(b)[0]
    return None if low is None or low <= 0 else floordiv(a, b)


def _divide(c: TensorflowContext) -> Ref | None:
    """A quotient of floats; `Div` of integers goes towards zero."""
    if not c.ref(0).dtype.is_float and c.op == "RealDiv":
        return None
    if c.ref(0).dtype.is_integer and (divisor := c.const(1)) is not None and not divisor.all():
        return None
    return folds.c_divide(c)


def _not_by_zero(fold: folds.Fold) -> folds.Fold:
    def run(c: TensorflowContext) -> Ref | None:
        divisor = c.const(1)
        return None if divisor is not None and not divisor.all() else fold(c)

    return run


def _reduce(fold: Callable[[Dim, Dim], Dim], start: Dim | None, exact: Callable[..., Any]) -> folds.Fold:
    """Reductions of a whole vector of sizes, or of plain numbers along any axes."""

    def run(c: TensorflowContext) -> Ref | None:
        axes, kind, keep = c.const(1), c.ref(0).dtype, c.attr("keep_dims")
        if axes is None or not kind.is_integer:
            return None
        places = tuple(int(a) for a in axes.reshape(-1))
        array = c.const(0)
        if array is not None and (start is not None or array.size):
            out = np.asarray(exact(array, axis=places, keepdims=keep)).astype(array.dtype)
            return done(kind, filled(out.reshape(-1).tolist(), out.shape))
        total = folds.reduced(first(c), fold, start) if places in ((0,), (-1,)) else None
        return None if total is None else done(kind, filled([total], (1,) if keep else ()))

    return run


def _logical(exact: Callable[..., Any]) -> folds.Fold:
    def run(c: TensorflowContext) -> Ref | None:
        axes, array = c.const(1), c.const(0)
        if axes is None or array is None:
            return None
        out = np.asarray(exact(array, axis=tuple(int(a) for a in axes.reshape(-1)), keepdims=c.attr("keep_dims")))
        return done(dtypes.bool_, filled(out.reshape(-1).tolist(), out.shape))

    return run


def _not_equal(c: TensorflowContext) -> Ref | None:
    equal = folds.comparison(None, True, np.equal)(c)
    content = None if equal is None else equal.content()
    return None if content is None else done(dtypes.bool_, filled([not e for e in content.flat], content.shape))


def _add_n(c: TensorflowContext) -> Ref | None:
    return folds.ADD(c) if len(c.inputs) == 2 else None


_FLOOR_DIV = folds.elementwise(folds.on_dims(_floor_divide), np.floor_divide)

FOLDS: dict[str, Callable[[Any], Any]] = {
    "Pack": moved(_pack), "Concat": _concat, "ConcatV2": _concat, "Gather": moved(_gather), "GatherV2": moved(_gather),
    "ExpandDims": moved(_expand_dims), "Squeeze": moved(_squeeze), "Reshape": moved(_reshape), "Transpose": moved(_transpose),
    "StridedSlice": moved(_strided_slice), "Slice": moved(_slice), "Unpack": _unpack, "ReverseV2": moved(_reverse),
    "BroadcastTo": moved(lambda c: folds.broadcast(c, c.const(1))), "Tile": moved(lambda c: folds.tile(c, c.const(1))),
    "DataFormatVecPermute": moved(_permute), "Fill": _fill, "ZerosLike": _like(0), "OnesLike": _like(1), "Cast": _cast, "Where": _where,
    "SelectV2": folds.chosen, "StopGradient": moved(first),
    "Add": folds.ADD, "AddV2": folds.ADD, "AddN": _add_n, "Sub": folds.SUB, "Mul": folds.MUL, "Neg": folds.NEG,
    "Maximum": folds.MAX, "Minimum": folds.MIN, "Div": _divide, "RealDiv": _divide, "TruncateDiv": _divide,
    "FloorDiv": _not_by_zero(_FLOOR_DIV), "FloorMod": _not_by_zero(folds.REMAINDER),
    "Equal": folds.COMPARISONS["Equal"], "NotEqual": _not_equal, "Less": folds.COMPARISONS["Less"],
    "LessEqual": folds.COMPARISONS["LessOrEqual"], "Greater": folds.COMPARISONS["Greater"],
    "GreaterEqual": folds.COMPARISONS["GreaterOrEqual"],
    "LogicalNot": folds.logic(np.logical_not), "LogicalAnd": folds.logic(np.logical_and),
    "LogicalOr": folds.logic(np.logical_or), "All": _logical(np.all), "Any": _logical(np.any),
    "Prod": _reduce(lambda a, b: a * b, 1, np.prod), "Sum": _reduce(lambda a, b: a + b, 0, np.sum),
    "Max": _reduce(dim_max, None, np.max), "Min": _reduce(dim_min, None, np.min),
    "Floor": folds.ROUNDINGS["Floor"], "Ceil": folds.ROUNDINGS["Ceil"], "Rint": folds.ROUNDINGS["Round"],
    "Sqrt": folds.only_numbers(np.sqrt),
}  # fmt: skip
"""Folds by op; movement passes unknown elements on, arithmetic does not."""

_MOVES = {
    "Gather": 0, "GatherV2": 0, "ExpandDims": 0, "Squeeze": 0, "Reshape": 0, "Transpose": 0, "StridedSlice": 0, "Slice": 0,
    "Unpack": 0, "ReverseV2": 0, "BroadcastTo": 0, "Tile": 0, "Cast": 0, "StopGradient": 0, "DataFormatVecPermute": 0,
}  # fmt: skip
"""Folds of one tensor, sizes or positions beside it: which operand it is."""
