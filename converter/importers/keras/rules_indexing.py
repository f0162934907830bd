"""Reads at positions. Backends disagree on indices out of range: TensorFlow raises, jax fills with NaN (or the lowest
integer) or moves them into range, torch raises or wraps them; each rule takes the meaning of the running backend."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from converter.importers.keras.context import KerasContext, rule, to_numpy
from converter.importers.keras.operands import axis_of, flat
from converter.importers.keras.tensors import is_traced
from ir.core import Value
from ir.types import Dim, broadcast_shapes, dtypes
from ir.types import dtype as as_dtype


def backend() -> str:
    """The running backend."""
    from keras import config

    return str(config.backend())


def indices_of(c: KerasContext, item: Any) -> Value:
    """Indices as int32 or int64."""
    value = c.value(item, "int32") if isinstance(item, int) else c.value(item)
    kind = value.type.dtype
    if not kind.is_integer:
        c.refuse(f"indices of {kind}", "cast them to int32")
    return value if kind.name in ("int32", "int64") else c.cast(value, "int64" if kind.bits >= 32 else "int32")


def _bounds(c: KerasContext, data: Value, index: Value, size: Dim, torch: str = "error") -> dict[str, Any]:
    """What reads out of range give; nothing of it where the indices are known to be in range."""
    if backend() == "tensorflow" or _in_range(index, size):
        return {}
    if backend() == "torch":
        return {"bounds": torch} if torch != "error" else {}
    kind = data.type.dtype
    if size == 0 and 0 not in index.type.shape:
        c.refuse("an index out of range: jax reads nothing from an empty axis")
    if kind.is_complex:
        c.refuse("positions of complex numbers that may be out of range, which jax fills", "read both parts")
    lowest = True if kind.is_bool else kind.max if kind.kind == "uint" else kind.min
    return {"bounds": "fill", "fill_value": math.nan if kind.is_float else lowest}


def _in_range(index: Value, size: Dim) -> bool:
    node = index.producer
    if node is None or node.op.name != "constant" or not isinstance(size, int):
        return False
    numbers = node.attrs["value"].value
    return bool(((numbers >= -size) & (numbers < size)).all())


@rule("ops.Take")
def take(c: KerasContext, op: Any, x: Any, indices: Any) -> Value:
    value, index = c.value(x), indices_of(c, indices)
    if op.axis is None:
        value = flat(c, value)
    axis = 0 if op.axis is None else axis_of(op.axis, value.type.rank)
    return c.b.gather(value, index, axis=axis, **_bounds(c, value, index, value.type.shape[axis]))


@rule("ops.TakeAlongAxis")
def take_along_axis(c: KerasContext, op: Any, x: Any, indices: Any) -> Value:
    """Both sides broadcast off the axis; on torch, positions out of range wrap."""
    value, index = c.value(x), indices_of(c, indices)
    if op.axis is None:
        if index.type.rank != 1 and backend() == "tensorflow":
            c.refuse("positions of several axes in the flat tensor", "flatten them, or name an axis")
        if backend() == "torch":
            index = _from_the_end_of_rows(c, index, value.type.shape)
        value, index = flat(c, value), flat(c, index)
    if value.type.rank != index.type.rank:
        c.refuse(
            f"indices of {index.type.rank} axes for a tensor of {value.type.rank}: their shapes must be of one rank"
        )
    axis = 0 if op.axis is None else axis_of(op.axis, value.type.rank)
    common = broadcast_shapes(
        *(tuple(1 if i == axis else d for i, d in enumerate(v.type.shape)) for v in (value, index))
    )
    value, index = (
        c.b.expand(v, shape=shape) if v.type.shape != shape else v
        for v in (value, index)
        for shape in [tuple(v.type.shape[axis] if i == axis else d for i, d in enumerate(common))]
    )
    bounds = _bounds(c, value, index, value.type.shape[axis], torch="wrap")
    return c.b.gather_elements(value, index, axis=axis, **bounds)


def _from_the_end_of_rows(c: KerasContext, index: Value, shape: tuple[Dim, ...]) -> Value:
    """On torch, negative positions in the flat tensor count from the end of its first axis."""
    if not shape:
        c.refuse("positions in a tensor without axes")
    rows = c.cast(c.b.dim(size=shape[0]), index.type.dtype)
    return c.b.where(c.b.less(index, c.number(0, index.type.dtype)), c.b.add(index, rows), index)


@rule("ops.OneHot")
def one_hot(c: KerasContext, op: Any, x: Any) -> Value:
    """Classes out of range give zeros (on torch those above are an error)."""
    return _one_hot(c, op, x)


def _one_hot(c: KerasContext, op: Any, x: Any) -> Value:
    if op.sparse:
        c.refuse("sparse tensors", "use sparse=False")
    from keras import config

    kind = as_dtype(op.dtype or config.floatx())
    index = c.value(x, "int64") if not isinstance(x, int) else c.value(x, "int32")
    on, off = (True, False) if kind.is_bool else (1, 0)
    axis = axis_of(op.axis, index.type.rank + 1)
    return c.b.one_hot(index, depth=c.dim(op.num_classes), axis=axis, on=on, off=off, dtype=kind)


@rule("ops.MultiHot")
def multi_hot(c: KerasContext, op: Any, inputs: Any) -> Value:
    """Which classes occur along the second axis (of a vector the only one)."""
    found = _one_hot(c, op, inputs)
    axis = 1 if found.type.rank > 2 else 0
    if found.type.dtype.is_bool:
        return c.b.reduce_any(found, axes=(axis,))
    return c.b.reduce_max(found, axes=(axis,))


@rule("ops.Nonzero")
def nonzero(c: KerasContext, _: Any, x: Any) -> Any:
    return positions(c, c.value(x))


def positions(c: KerasContext, value: Value) -> Any:
    """Of the elements that are not zero, one vector an axis; on torch as the rows of one tensor."""
    if not value.type.rank:
        c.refuse("the positions in a tensor without axes")
    found = c.b.nonzero(value, symbol=c.fresh_size())
    if backend() == "torch":
        return c.cast(c.b.transpose(found, perm=(1, 0)), dtypes.int32)
    return tuple(c.cast(c.b.select(found, axis=1, index=i), dtypes.int32) for i in range(value.type.rank))


@rule("ops.Where")
def where(c: KerasContext, _: Any, condition: Any, x1: Any = None, x2: Any = None) -> Any:
    chosen = c.value(condition, "bool")
    if x1 is None and x2 is None:
        found = positions(c, chosen)
        return c.cast(found, dtypes.int64) if backend() == "torch" else found
    kind = c.result_type(x1, x2)
    return c.b.where(chosen, c.value(x1, kind), c.value(x2, kind))


@rule("ops.Select")
def select(c: KerasContext, op: Any, condlist: Any, choicelist: Any, default: Any = 0) -> Value:
    """The first choice whose condition holds."""
    kind = c.result_type(*choicelist, default)
    if any(isinstance(x, (int, float)) for x in choicelist):
        c.refuse("choices that are numbers, whose dtype the backends see differently", "make them tensors")
    result = c.value(default, kind)
    for chosen, value in reversed(list(zip(condlist, choicelist, strict=True))):
        result = c.b.where(c.value(chosen, "bool"), c.value(value, kind), result)
    return result


@rule("ops.UnravelIndex")
def unravel_index(c: KerasContext, op: Any, indices: Any) -> tuple[Value, ...]:
    """Quotients and rests from the last axis on; refused where TensorFlow's backend takes axes in the wrong order."""
    index = c.value(indices)
    shape = [int(n) for n in op.shape]
    if index.type.rank != 1 and backend() == "tensorflow":
        c.refuse("flat positions of other than one axis, which Keras takes apart in the wrong order on TensorFlow",
                 "flatten them first")  # fmt: skip
    found = []
    for size in reversed(shape):
        number = c.number(size, index.type.dtype)
        found.append(c.b.mod(index, number))
        index = c.b.floor_div(index, number)
    return tuple(reversed(found))


# -- x[i, :, j] ---------------------------------------------------------------------------------------------------------
@rule("ops.GetItem")
def get_item(c: KerasContext, _: Any, x: Any, key: Any) -> Value:
    value = c.value(x)
    items = list(key) if isinstance(key, (tuple, list)) else [key]
    entries = [_entry(c, item) for item in items]
    arrays = [e for e in entries if isinstance(e, Value)]
    if not arrays:
        return _view(c, value, entries)
    return _arrays(c, value, entries, arrays)


def _entry(c: KerasContext, item: Any) -> Any:
    if item is None or item is Ellipsis or isinstance(item, slice):
        return item
    if isinstance(item, (bool, np.bool_)):
        c.refuse("a truth value as an index", "use ops.expand_dims")
    if isinstance(item, (int, np.integer)):
        return c.dim(item)
    if is_traced(item) and not item.shape and _as_size(c, item) is not None:
        return _as_size(c, item)
    return c.value(item) if is_traced(item) or hasattr(item, "dtype") else c.array(to_numpy(item))


def _as_size(c: KerasContext, item: Any) -> Dim | None:
    from converter.importers.base import Refusal

    try:
        return c.dim(item)
    except Refusal:
        return None


def _view(c: KerasContext, value: Value, entries: list[Any]) -> Value:
    """Slices, then single positions, then new axes."""
    spread, places = _spread(c, entries, value.type.rank), []
    sliced: list[tuple[int, Any, Any, int]] = []
    picked: list[tuple[int, Dim]] = []
    axis = out = 0
    for entry in spread:
        if entry is None:
            places.append(out)
            out += 1
            continue
        if isinstance(entry, slice):
            part = bounds_of(c, entry, value.type.shape[axis])
            if part is not None:
                sliced.append((axis, *part))
            out += 1
        else:
            picked.append((axis, _inside(c, entry, value.type.shape[axis])))
        axis += 1
    if sliced:
        axes, starts, stops, steps = zip(*sliced)
        value = c.b.slice(value, axes=axes, starts=starts, stops=stops, steps=steps)
    for axis, at in reversed(picked):
        value = c.b.select(value, axis=axis, index=at)
    return c.b.unsqueeze(value, axes=tuple(places)) if places else value


def _spread(c: KerasContext, entries: list[Any], rank: int) -> list[Any]:
    """The entries with the ellipsis written out."""
    used = sum(_width(e) for e in entries)
    dots = [i for i, e in enumerate(entries) if e is Ellipsis]
    if len(dots) > 1 or used > rank:
        c.refuse(f"a subscript of {used} axes for a tensor of {rank}")
    rest = [slice(None)] * (rank - used)
    return [*entries[: dots[0]], *rest, *entries[dots[0] + 1 :]] if dots else [*entries, *rest]


def _width(entry: Any) -> int:
    if entry is None or entry is Ellipsis:
        return 0
    return entry.type.rank if isinstance(entry, Value) and entry.type.dtype.is_bool else 1


def bounds_of(c: KerasContext, item: slice, size: Dim) -> tuple[Any, Any, int] | None:
    """Start, stop and step of a slice as the IR has them; None for all of the axis."""
    step = 1 if item.step is None else int(item.step)
    if step < 0 and backend() == "torch":
        c.refuse("a slice with a negative step, which torch does not have", "use ops.flip")
    start, stop = (None if b is None else _bound(c, b, size) for b in (item.start, item.stop))
    if step == 1 and start in (None, 0) and stop is None:
        return None
    return (None if start == 0 and step > 0 else start), stop, step


def _bound(c: KerasContext, item: Any, size: Dim) -> Dim:
    """A bound; a negative one that depends on sizes is counted from the front."""
    found = c.dim(item)
    if not isinstance(found, int) and int(c.size(found)) < 0:
        return size + found
    return found


def _inside(c: KerasContext, at: Dim, size: Dim) -> Dim:
    """One position. jax moves one that is out of range to the nearest."""
    if not isinstance(at, int):
        return size + at if int(c.size(at)) < 0 else at
    if isinstance(size, int) and not -size <= at < size:
        c.refuse(f"position {at} of an axis of {size}")
    if not isinstance(size, int) and backend() == "jax" and at not in (0, -1):
        c.note(f"position {at} of an axis shorter than that is an error in the converted model; jax takes the nearest")
    return at


def _arrays(c: KerasContext, value: Value, entries: list[Any], arrays: list[Value]) -> Value:
    """Index arrays and masks, as NumPy has them (torch places the result's axes in its own way)."""
    if backend() == "tensorflow":
        _only_on_tensorflow(c, entries, arrays)
    masks = [v for v in arrays if v.type.dtype.is_bool]
    if any(not v.type.rank for v in masks) or len(masks) > 1:
        c.refuse("several masks, or one without axes, in a subscript", "combine them first")
    if masks and entries[0] is masks[0] and len(entries) == 1:
        return c.b.mask_select(value, masks[0], symbol=c.fresh_size("count"))
    spec: list[tuple[Any, ...]] = []
    used: list[Value] = []
    for entry in _spread(c, entries, value.type.rank):
        if isinstance(entry, Value):
            spec.append(("array", len(used)))
            used.append(entry if entry.type.dtype.is_bool else indices_of(c, entry))
        elif entry is None:
            spec.append(("newaxis",))
        elif isinstance(entry, slice):
            axis = sum(_width(e) for e in _before(spec, used))
            spec.append(("slice", *(bounds_of(c, entry, value.type.shape[axis]) or (None, None, None))))
        else:
            spec.append(("int", entry))
    return _read(c, value, spec, used, c.fresh_size("count") if masks else "")


def _before(spec: list[tuple[Any, ...]], used: list[Value]) -> list[Any]:
    """What the entries so far stand for, one for each."""
    return [used[e[1]] if e[0] == "array" else None if e[0] == "newaxis" else 0 for e in spec]


def _read(c: KerasContext, value: Value, spec: list[tuple[Any, ...]], used: list[Value], symbol: str) -> Value:
    whole = ("slice", None, None, None)
    bounds: dict[str, Any] = {"bounds": "clip"} if backend() == "jax" and not symbol else {}
    plain = [e for e in spec if e != whole]
    if plain == [("array", 0)] and not symbol:
        axis = spec.index(("array", 0))
        bounds = {} if _in_range(used[0], value.type.shape[axis]) else bounds
        return c.b.gather(value, used[0], axis=axis, **bounds)
    places = "torch" if backend() == "torch" else "numpy"
    extra = {"symbol": symbol} if symbol else {}
    return c.b.index_get(value, used, spec=tuple(spec), rule=places, **bounds, **extra)


def _only_on_tensorflow(c: KerasContext, entries: list[Any], arrays: list[Value]) -> None:
    """TensorFlow's tensors take numbers that tensors hold, and one mask alone; no index arrays."""
    alone = len(entries) == 1 and arrays[0].type.dtype.is_bool
    if alone or all(not v.type.rank and v.type.dtype.is_integer for v in arrays):
        return
    c.refuse(
        "index arrays in a subscript, which TensorFlow's tensors do not take", "use ops.take or ops.take_along_axis"
    )


__all__ = ["backend", "bounds_of", "indices_of", "positions"]
