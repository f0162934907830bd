"""The partial evaluator: chains over small integer tensors become sizes instead of nodes.

`Shape -> Gather -> Mul -> Concat -> Reshape` ends as attributes of the reshape. A fold returns None where it cannot say
exactly what the node computes; the node is then imported like any other. Elements are Python numbers, symbolic sizes,
or `Element` for what only the run knows: movement passes those on, arithmetic gives up on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.importers.onnx.slices import slice_arguments
from converter.importers.onnx.tensors import element_type
from converter.importers.partial.values import SMALL, Element, Ref, known, objects
from ir.types import Assumption, Dim, DimExpr, DType, dim_max, dim_min, dtypes, floordiv, mod, same
from ir.types.dim import bounds

if TYPE_CHECKING:
    from converter.importers.onnx.context import OnnxContext


def evaluate(c: OnnxContext) -> Ref | None:
    """The known result of a node with one output, or None."""
    name = c.schema.name
    if c.schema.domain or name not in FOLDS or not all(r is None or _foldable(r) for r in c.inputs):
        return None
    refs = [r for r in c.inputs if r is not None]
    if not refs or _moves_weight(name, refs) or len(c.node.output) != 1:
        return None
    try:
        return FOLDS[name](c)
    except (IndexError, OverflowError) as error:
        c.refuse(f"its axes or positions do not fit its operands: {error}")


def _foldable(ref: Ref) -> bool:
    return (
        ref.dtype.is_integer or ref.dtype.is_bool or (ref.dtype.is_float and ref.dtype.bits >= 32)
    ) and ref.elements() is not None


def _moves_weight(name: str, refs: list[Ref]) -> bool:
    """Whether a fold would make numbers of what may be a parameter: it is the tensor moved, or nothing computed meets it."""
    if name in _JOINS:
        return any(_is_weightlike(r) for r in refs) and not any(r.dtype.is_float and r.stored is None for r in refs)
    return _is_weightlike(refs[0])


def _is_weightlike(ref: Ref) -> bool:
    """A stored float with axes: it may be a parameter, so it keeps its name and its nodes."""
    return ref.stored is not None and ref.dtype.is_float and (ref.type.rank > 0 or ref.stored.record is not None)


def _contents(c: OnnxContext) -> list[np.ndarray]:
    return [e for r in c.inputs if r is not None and (e := r.elements()) is not None]


def _done(dtype: DType, content: np.ndarray | None) -> Ref | None:
    """A result worth keeping: small, and not all of it unknown (such a tensor is better left to its own node)."""
    if content is None or content.size > SMALL or (content.size and all(isinstance(e, Element) for e in content.flat)):
        return None
    return known(dtype, content)


def _moved(fold: Callable[[OnnxContext], np.ndarray | None]) -> Callable[[OnnxContext], Ref | None]:
    return lambda c: _done(c.ref(0).dtype, fold(c))


def _data(c: OnnxContext) -> np.ndarray:
    return _contents(c)[0]


# -- movement ---------------------------------------------------------------------------------------------------------
def _concat(c: OnnxContext) -> np.ndarray | None:
    return np.concatenate(_contents(c), axis=c.attr("axis"))


def _gather(c: OnnxContext) -> np.ndarray | None:
    """Read at known positions. A size as the position in a single element must be 0: so our exporter checks sizes."""
    indices = c.const(1)
    axis = c.attr("axis")
    size = _data(c).shape[axis]
    if indices is None and size == 1 and (gaps := _gaps(_contents(c)[1])) is not None:
        why = c.node.doc_string or "the file checks it"
        c.importer.assume(Assumption.vanishing(gap, why) for gap in gaps)
        indices = np.zeros(c.ref(1).type.shape, np.int64)
    if indices is None or np.any(indices >= size) or np.any(indices < -size):
        return None
    return _as_objects(np.take(_data(c), indices.astype(np.int64), axis=axis))


def _gaps(positions: np.ndarray) -> list[DimExpr] | None:
    """Positions that are sizes and not negative; None where there are others."""
    found = [p for p in positions.flat if isinstance(p, DimExpr) and p == Assumption.vanishing(p, "").gap]
    return found if len(found) == positions.size else None


def _unsqueeze(c: OnnxContext) -> np.ndarray | None:
    axes = c.axes("axes", 1, 13)
    return None if axes is None else np.expand_dims(_data(c), axes)


def _squeeze(c: OnnxContext) -> np.ndarray | None:
    axes = c.axes("axes", 1, 13)
    data = _data(c)
    if axes is not None and any(data.shape[a] != 1 for a in axes):
        return None
    return _as_objects(np.squeeze(data, axis=axes))


def _reshape(c: OnnxContext) -> np.ndarray | None:
    target, data = c.const(1), _data(c)
    if target is None:
        return None
    zero = c.attr("allowzero") if c.version >= 14 else 0
    shape = [data.shape[i] if d == 0 and not zero else int(d) for i, d in enumerate(target)]
    return data.reshape(shape)


def _transpose(c: OnnxContext) -> np.ndarray | None:
    return _data(c).transpose(c.attr("perm"))


def _slice(c: OnnxContext) -> np.ndarray | None:
    data = _data(c)
    index: list[slice] = [slice(None)] * data.ndim
    arguments = slice_arguments(c)
    for axis, start, stop, step in zip(*arguments, strict=True):
        if not all(x is None or isinstance(x, int) for x in (start, stop, step)):
            return None
        index[axis] = slice(start, stop, step)
    return data[tuple(index)]


def _expand(c: OnnxContext) -> np.ndarray | None:
    target = c.const(1)
    if target is None or math.prod(int(t) for t in target) > SMALL:
        return None
    return np.broadcast_to(_data(c), np.broadcast_shapes(_data(c).shape, tuple(int(t) for t in target)))


def _tile(c: OnnxContext) -> np.ndarray | None:
    repeats = c.const(1)
    if repeats is None or math.prod(int(r) for r in repeats) * _data(c).size > SMALL:
        return None
    return np.tile(_data(c), tuple(int(r) for r in repeats))


def _flatten(c: OnnxContext) -> np.ndarray | None:
    data, axis = _data(c), c.attr("axis")
    return data.reshape(math.prod(data.shape[:axis]), -1) if data.size else None


def _where(c: OnnxContext) -> Ref | None:
    condition = c.const(0)
    if condition is None:
        return None
    _, x, y = _contents(c)
    return _done(c.ref(1).dtype, np.where(condition, x, y))


def _cast(c: OnnxContext) -> Ref | None:
    target = element_type(c.attr("to"))
    if c.version >= 19:
        c.ignore("saturate", "round_mode")  # both concern 8-bit floats only
    if target.bits < 32 and not target.is_bool:
        return None
    out = [_cast_element(e, target) for e in _data(c).flat]
    return None if any(e is None for e in out) else _done(target, _filled(out, _data(c).shape))


def _cast_element(e: Any, target: DType) -> Any:
    if isinstance(e, DimExpr):
        return None if target.is_bool else e
    if isinstance(e, Element) or (isinstance(e, float) and target.is_integer and not abs(e) < 2**31):
        return None
    return objects(np.asarray(e).astype(target.numpy))[()]


def _constant_of_shape(c: OnnxContext) -> Ref | None:
    shape = c.const(0)
    if shape is None or math.prod(int(d) for d in shape) > SMALL or np.any(shape < 0):
        return None
    data = c.attr("value")
    array = np.zeros((1,), np.float32) if data is None else data.numpy()
    kind = dtypes.float32 if data is None else data.type.dtype
    if not (kind.is_integer or kind.is_bool):
        return None
    return known(
        kind, _filled([objects(array).reshape(-1)[0]] * math.prod(int(d) for d in shape), tuple(int(d) for d in shape))
    )


def _range(c: OnnxContext) -> Ref | None:
    bounds_ = [c.const(i) for i in range(3)]
    if any(b is None for b in bounds_) or not c.ref(0).dtype.is_integer:
        return None
    start, limit, delta = (int(b) for b in bounds_ if b is not None)
    if delta == 0 or (limit - start) // delta > SMALL:
        return None
    return known(c.ref(0).dtype, _filled(list(range(start, limit, delta))))


def _nonzero(c: OnnxContext) -> Ref | None:
    array = c.const(0)
    return (
        None
        if array is None or array.ndim == 0
        else _done(dtypes.int64, objects(np.array(np.nonzero(array), np.int64)))
    )


# -- arithmetic ---------------------------------------------------------------------------------------------------------
def _elementwise(
    fold: Callable[..., Any], exact: Callable[..., np.ndarray] | None, result: DType | None = None
) -> Callable[[OnnxContext], Ref | None]:
    """Element by element. `exact` computes plain numbers in their dtype; `fold` takes sizes and may return None."""

    def run(c: OnnxContext) -> Ref | None:
        dtype = result or c.ref(0).dtype
        arrays = [c.const(i) for i in range(len(c.inputs))]
        if exact is not None and all(a is not None for a in arrays):
            with np.errstate(all="ignore"):
                out = np.asarray(exact(*arrays)).astype(dtype.numpy)
            return _done(dtype, objects(out))
        spread = np.broadcast_arrays(*_contents(c))
        if spread[0].size > SMALL or c.ref(0).dtype.kind == "uint":
            return None
        elements = [
            None if any(isinstance(e, Element) for e in row) else fold(*row)
            for row in zip(*(a.flat for a in spread), strict=True)
        ]
        return None if any(e is None for e in elements) else _done(dtype, _filled(elements, spread[0].shape))

    return run


def _whole(e: Any) -> Dim | None:
    """An element as a size: integers, size expressions and floats that are whole numbers."""
    if isinstance(e, float):
        return int(e) if e.is_integer() else None
    return e


def _on_dims(fold: Callable[..., Any]) -> Callable[..., Any]:
    """A fold over sizes, given up where an element is a fraction."""

    def run(*elements: Any) -> Any:
        dims = [_whole(e) for e in elements]
        return None if any(d is None for d in dims) else fold(*dims)

    return run


def _divide(a: Dim, b: Dim) -> Dim | None:
    """C division, towards zero; only by divisors that cannot be negative."""
    low = bounds(b)[0]
    if low is None or low < 0 or b == 0:
        return None
    low = bounds(a)[0]
    if low is not None and low >= 0:
        return floordiv(a, b)
    return floordiv(dim_max(a, 0), b) - floordiv(dim_max(0 - a, 0), b)


def _true_divide(a: Dim, b: Dim) -> Dim | None:
    if b == 0:
        return None
    quotient = floordiv(a, b)
    return quotient if quotient * b == a else None


def _div(c: OnnxContext) -> Ref | None:
    if c.ref(0).dtype.is_float:
        return _elementwise(_on_dims(_true_divide), np.divide)(c)
    return _elementwise(_divide, _int_divide)(c)


def _int_divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from ir.ops import get

    return get("trunc_div").evaluate(x=a, y=b)


def _mod(c: OnnxContext) -> Ref | None:
    if c.attr("fmod") or not c.ref(0).dtype.is_integer:
        return None
    return _elementwise(lambda a, b: None if bounds(b)[0] in (None, 0) else mod(a, b), np.mod)(c)


def _compare(below: bool | None, equal: bool) -> Callable[[Any, Any], bool | None]:
    """`a < b` (below), `a > b` (not below) or `a == b` (None) over sizes; None where it depends on the run."""

    def fold(a: Any, b: Any) -> bool | None:
        if below is None:
            return same(a, b)
        low, high = bounds(a - b if below else b - a)
        if high is not None and (high < 0 or (equal and high == 0)):
            return True
        return False if low is not None and (low > 0 or (not equal and low == 0)) else None

    return _on_dims(fold)


def _comparison(
    below: bool | None, equal: bool, exact: Callable[..., np.ndarray]
) -> Callable[[OnnxContext], Ref | None]:
    return _elementwise(_compare(below, equal), exact, dtypes.bool_)


def _reduce(fold: Callable[[Dim, Dim], Dim], start: Dim | None) -> Callable[[OnnxContext], Ref | None]:
    """Reductions of a whole vector of sizes."""

    def run(c: OnnxContext) -> Ref | None:
        since = 13 if c.schema.name == "ReduceSum" else 18
        axes, keep = c.axes("axes", 1, since), c.attr("keepdims")
        if c.version >= since:
            empty_is_noop = c.attr("noop_with_empty_axes")
            if empty_is_noop and not axes:
                return None
        content = _data(c)
        if (
            content.ndim != 1
            or axes not in (None, (), (0,), (-1,))
            or not c.ref(0).dtype.is_integer
            or not all(map(_plain, content))
        ):
            return None
        values = list(content)
        if start is None and not values:
            return None
        total = values.pop() if start is None else start
        for v in reversed(values):
            total = fold(v, total)
        return _done(c.ref(0).dtype, _filled([total], (1,) if keep else ()))

    return run


def _plain(e: Any) -> bool:
    return isinstance(e, (int, DimExpr)) and not isinstance(e, bool)


def _logic(exact: Callable[..., np.ndarray]) -> Callable[[OnnxContext], Ref | None]:
    return _elementwise(lambda *_: None, exact, dtypes.bool_)


def _rounding(exact: Callable[..., np.ndarray]) -> Callable[[OnnxContext], Ref | None]:
    return _elementwise(_on_dims(lambda d: d), exact)


def _extreme(fold: Callable[[Dim, Dim], Dim], exact: Callable[..., np.ndarray]) -> Callable[[OnnxContext], Ref | None]:
    def run(c: OnnxContext) -> Ref | None:
        return _elementwise(_on_dims(fold), exact)(c) if len(c.inputs) == 2 else None

    return run


def _only_numbers(exact: Callable[..., np.ndarray]) -> Callable[[OnnxContext], Ref | None]:
    return _elementwise(lambda *_: None, exact)


# -- arrays of objects --------------------------------------------------------------------------------------------------
def _filled(elements: list[Any], shape: tuple[int, ...] | None = None) -> np.ndarray:
    out = np.empty(len(elements), object)
    for i, e in enumerate(elements):
        out[i] = e
    return out if shape is None else out.reshape(shape)


def _as_objects(found: Any) -> np.ndarray:
    """An object array also where NumPy hands out the bare element of a 0-d result."""
    if isinstance(found, np.ndarray) and found.dtype == object:
        return found
    out = np.empty((), object)
    out[()] = found
    return out


FOLDS: dict[str, Callable[[OnnxContext], Ref | None]] = {
    "Identity": _moved(_data), "Concat": _moved(_concat), "Gather": _moved(_gather), "Unsqueeze": _moved(_unsqueeze),
    "Squeeze": _moved(_squeeze), "Reshape": _moved(_reshape), "Transpose": _moved(_transpose), "Slice": _moved(_slice),
    "Expand": _moved(_expand), "Tile": _moved(_tile), "Flatten": _moved(_flatten), "Where": _where, "Cast": _cast,
    "ConstantOfShape": _constant_of_shape, "Range": _range, "NonZero": _nonzero,
    "Add": _elementwise(_on_dims(lambda a, b: a + b), np.add), "Sub": _elementwise(_on_dims(lambda a, b: a - b), np.subtract),
    "Mul": _elementwise(_on_dims(lambda a, b: a * b), np.multiply), "Div": _div, "Mod": _mod,
    "Neg": _elementwise(_on_dims(lambda a: 0 - a), np.negative), "Max": _extreme(dim_max, np.maximum), "Min": _extreme(dim_min, np.minimum),
    "Equal": _comparison(None, True, np.equal), "Less": _comparison(True, False, np.less), "Greater": _comparison(False, False, np.greater),
    "LessOrEqual": _comparison(True, True, np.less_equal), "GreaterOrEqual": _comparison(False, True, np.greater_equal),
    "Not": _logic(np.logical_not), "And": _logic(np.logical_and), "Or": _logic(np.logical_or), "Xor": _logic(np.logical_xor),
    "ReduceProd": _reduce(lambda a, b: a * b, 1), "ReduceSum": _reduce(lambda a, b: a + b, 0),
    "ReduceMax": _reduce(dim_max, None), "ReduceMin": _reduce(dim_min, None),
    "Floor": _rounding(np.floor), "Ceil": _rounding(np.ceil), "Round": _rounding(np.rint),
    "Sqrt": _only_numbers(np.sqrt), "Reciprocal": _only_numbers(np.reciprocal), "Pow": _only_numbers(np.power),
}  # fmt: skip
"""Folds by op; movement passes unknown elements on, arithmetic does not."""

_JOINS = set(FOLDS) - {
    "Identity", "Gather", "Unsqueeze", "Squeeze", "Reshape", "Transpose", "Slice", "Expand", "Tile", "Flatten", "Cast",
}  # fmt: skip
"""Folds of several tensors alike; the others read one tensor, and sizes or positions beside it."""
