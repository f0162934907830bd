"""The partial evaluator: chains over small integer tensors become sizes instead of nodes.

`Shape -> Gather -> Mul -> Concat -> Reshape` ends as attributes of the reshape. A fold returns None where it cannot say
exactly what the node computes; the node is then imported like any other. Elements are Python numbers, symbolic sizes,
or `Element` for what only the run knows: movement passes those on, arithmetic gives up on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from converter.importers.onnx.slices import slice_arguments
from converter.importers.onnx.tensors import element_type
from converter.importers.partial import folds
from converter.importers.partial.folds import as_objects, contents, done, filled, first, foldable, moved
from converter.importers.partial.values import SMALL, Ref, known, objects
from ir.types import Assumption, Dim, DimExpr, dim_max, dim_min, dtypes

if TYPE_CHECKING:
    from converter.importers.onnx.context import OnnxContext


def evaluate(c: OnnxContext) -> Ref | None:
    """The known result of a node with one output, or None."""
    name = c.schema.name
    if c.schema.domain or name not in FOLDS or not all(r is None or foldable(r) for r in c.inputs):
        return None
    refs = [r for r in c.inputs if r is not None]
    if not refs or _moves_weight(name, refs) or len(c.node.output) != 1 or _placed_by_axis(c, refs):
        return None
    try:
        return FOLDS[name](c)
    except (IndexError, OverflowError) as error:
        c.refuse(f"its axes or positions do not fit its operands: {error}")


def _moves_weight(name: str, refs: list[Ref]) -> bool:
    """Whether a fold would make numbers of what may be a parameter: it is the tensor moved, or nothing computed meets it."""
    if name in _JOINS:
        return any(folds.is_weightlike(r) for r in refs) and not any(
            r.dtype.is_float and r.stored is None for r in refs
        )
    return folds.is_weightlike(refs[0])


def _placed_by_axis(c: OnnxContext, refs: list[Ref]) -> bool:
    """Whether operands before opset 7 are not broadcast as NumPy does it: their rule places them, or refuses."""
    if "broadcast" not in c.schema.attributes or refs[0].type.shape == refs[1].type.shape:
        return False
    alone = all(d == 1 for d in refs[1].type.shape) and refs[1].type.rank <= refs[0].type.rank
    return not (c.attr("broadcast") and alone)


# -- movement ---------------------------------------------------------------------------------------------------------
def _concat(c: OnnxContext) -> np.ndarray | None:
    return np.concatenate(contents(c), axis=c.attr("axis"))


def _gather(c: OnnxContext) -> np.ndarray | None:
    """Read at known positions. A size as the position in a single element must be 0: so our exporter checks sizes."""
    indices = c.const(1)
    axis = c.attr("axis")
    size = first(c).shape[axis]
    if indices is None and size == 1 and (gaps := _gaps(contents(c)[1])) is not None:
        why = c.node.doc_string or "the file checks it"
        c.importer.assume(Assumption.vanishing(gap, why) for gap in gaps)
        indices = np.zeros(c.ref(1).type.shape, np.int64)
    if indices is None or np.any(indices >= size) or np.any(indices < -size):
        return None
    return as_objects(np.take(first(c), indices.astype(np.int64), axis=axis))


def _gaps(positions: np.ndarray) -> list[DimExpr] | None:
    """Positions that are sizes and not negative; None where there are others."""
    found = [p for p in positions.flat if isinstance(p, DimExpr) and p == Assumption.vanishing(p, "").gap]
    return found if len(found) == positions.size else None


def _unsqueeze(c: OnnxContext) -> np.ndarray | None:
    axes = c.axes("axes", 1, 13)
    return None if axes is None else np.expand_dims(first(c), axes)


def _squeeze(c: OnnxContext) -> np.ndarray | None:
    axes = c.axes("axes", 1, 13)
    data = first(c)
    if axes is not None and any(data.shape[a] != 1 for a in axes):
        return None
    return as_objects(np.squeeze(data, axis=axes))


def _reshape(c: OnnxContext) -> np.ndarray | None:
    target, data = c.const(1), first(c)
    if target is None:
        return None
    zero = c.attr("allowzero") if c.version >= 14 else 0
    shape = [data.shape[i] if d == 0 and not zero else int(d) for i, d in enumerate(target)]
    return data.reshape(shape)


def _transpose(c: OnnxContext) -> np.ndarray | None:
    return first(c).transpose(c.attr("perm"))


def _slice(c: OnnxContext) -> np.ndarray | None:
    data = first(c)
    index: list[slice] = [slice(None)] * data.ndim
    arguments = slice_arguments(c)
    for axis, start, stop, step in zip(*arguments, strict=True):
        if not all(x is None or isinstance(x, int) for x in (start, stop, step)):
            return None
        index[axis] = slice(start, stop, step)
    return data[tuple(index)]


def _flatten(c: OnnxContext) -> np.ndarray | None:
    data, axis = first(c), c.attr("axis")
    return data.reshape(math.prod(data.shape[:axis]), -1) if data.size else None


def _cast(c: OnnxContext) -> Ref | None:
    if c.version >= 19:
        c.ignore("saturate", "round_mode")  # both concern 8-bit floats only
    return folds.cast(c, element_type(c.attr("to")))


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
        kind, filled([objects(array).reshape(-1)[0]] * math.prod(int(d) for d in shape), tuple(int(d) for d in shape))
    )


def _nonzero(c: OnnxContext) -> Ref | None:
    array = c.const(0)
    return (
        None if array is None or array.ndim == 0 else done(dtypes.int64, objects(np.array(np.nonzero(array), np.int64)))
    )


def _mod(c: OnnxContext) -> Ref | None:
    if c.attr("fmod") or not c.ref(0).dtype.is_integer:
        return None
    return folds.REMAINDER(c)


def _reduce(fold: Callable[[Dim, Dim], Dim], start: Dim | None) -> Callable[[OnnxContext], Ref | None]:
    """Reductions of a whole vector of sizes."""

    def run(c: OnnxContext) -> Ref | None:
        since = 13 if c.schema.name == "ReduceSum" else 18
        axes, keep = c.axes("axes", 1, since), c.attr("keepdims")
        if c.version >= since:
            empty_is_noop = c.attr("noop_with_empty_axes")
            if empty_is_noop and not axes:
                return None
        if axes not in (None, (), (0,), (-1,)) or not c.ref(0).dtype.is_integer:
            return None
        total = folds.reduced(first(c), fold, start)
        return None if total is None else done(c.ref(0).dtype, filled([total], (1,) if keep else ()))

    return run


def _of_two(fold: folds.Fold) -> folds.Fold:
    return lambda c: fold(c) if len(c.inputs) == 2 else None


FOLDS: dict[str, folds.Fold] = {
    "Identity": moved(first), "Concat": moved(_concat), "Gather": moved(_gather), "Unsqueeze": moved(_unsqueeze),
    "Squeeze": moved(_squeeze), "Reshape": moved(_reshape), "Transpose": moved(_transpose), "Slice": moved(_slice),
    "Expand": moved(lambda c: folds.broadcast(c, c.const(1))), "Tile": moved(lambda c: folds.tile(c, c.const(1))),
    "Flatten": moved(_flatten), "Where": folds.chosen, "Cast": _cast,
    "ConstantOfShape": _constant_of_shape, "Range": folds.span, "NonZero": _nonzero,
    "Add": folds.ADD, "Sub": folds.SUB, "Mul": folds.MUL, "Div": folds.c_divide, "Mod": _mod, "Neg": folds.NEG,
    "Max": _of_two(folds.MAX), "Min": _of_two(folds.MIN), **folds.COMPARISONS, **folds.ROUNDINGS,
    "Not": folds.logic(np.logical_not), "And": folds.logic(np.logical_and),
    "Or": folds.logic(np.logical_or), "Xor": folds.logic(np.logical_xor),
    "ReduceProd": _reduce(lambda a, b: a * b, 1), "ReduceSum": _reduce(lambda a, b: a + b, 0),
    "ReduceMax": _reduce(dim_max, None), "ReduceMin": _reduce(dim_min, None),
    "Sqrt": folds.only_numbers(np.sqrt), "Reciprocal": folds.only_numbers(np.reciprocal), "Pow": folds.only_numbers(np.power),
}  # fmt: skip
"""Folds by op; movement passes unknown elements on, arithmetic does not."""

_JOINS = set(FOLDS) - {
    "Identity", "Gather", "Unsqueeze", "Squeeze", "Reshape", "Transpose", "Slice", "Expand", "Tile", "Flatten", "Cast",
}  # fmt: skip
"""Folds of several tensors alike; the others read one tensor, and sizes or positions beside it."""
