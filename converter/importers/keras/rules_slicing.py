"""Blocks at given or computed positions."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.rules_indexing import backend, indices_of
from ir.core import Value
from ir.types import Dim


def _starts(c: KerasContext, given: Any, rank: int) -> list[Any]:
    """Where the block begins: sizes, or else 0-d values."""
    from converter.importers.base import Refusal

    try:
        return list(c.dims(given))
    except (Refusal, TypeError):
        pass
    if isinstance(given, (tuple, list)):
        return [c.b.reshape(v, shape=()) if v.type.rank else v for v in (indices_of(c, x) for x in given)]
    whole = indices_of(c, given)
    return [c.b.select(whole, axis=0, index=i) for i in range(rank)]


@rule("ops.Slice")
def slice_(c: KerasContext, op: Any, inputs: Any, start_indices: Any) -> Value:
    """A size of -1 is all that is left. Blocks that do not fit are errors on TensorFlow, jax moves them."""
    value = c.value(inputs)
    shape, starts = value.type.shape, _starts(c, start_indices, value.type.rank)
    sizes = list(c.dims(op.shape))
    if any(isinstance(s, Value) for s in starts):
        if -1 in sizes:
            c.refuse("all that is left behind a computed position", "give the size")
        return _moving(c, value, starts, sizes)
    if backend() == "torch":  # Python's own slices: -1 is a place, what is beyond the end is not there
        whole = tuple(range(len(sizes)))
        stops = tuple(s + n for s, n in zip(starts, sizes, strict=True))
        if any(s == 0 and n == d for s, n, d in zip(starts, sizes, shape)):
            whole = tuple(a for a in whole if not (starts[a] == 0 and sizes[a] == shape[a]))
        if not whole:
            return value
        first, last = (tuple(ends[a] for a in whole) for ends in (starts, stops))
        return c.b.slice(value, axes=whole, starts=first, stops=last, steps=(1,) * len(whole))
    rest = [n - s if size == -1 else size for n, s, size in zip(shape, starts, sizes, strict=True)]
    _check(c, shape, starts, rest)
    parts = [(a, s, s + n) for a, (s, n, d) in enumerate(zip(starts, rest, shape)) if not (s == 0 and n == d)]
    if not parts:
        return value
    axes, first, last = zip(*parts)
    return c.b.slice(value, axes=axes, starts=first, stops=last, steps=(1,) * len(axes))


def _check(c: KerasContext, shape: Any, starts: Any, sizes: Any) -> None:
    """Raise Refusal for a block that is not certainly inside."""
    for n, start, size in zip(shape, starts, sizes, strict=True):
        if isinstance(start, int) and start < 0:
            c.refuse("a block that begins at a negative position", "count from the front")
        end = c.size(start + size)
        if int(end) > int(c.size(n)):
            c.refuse(f"a block that ends at {end} of an axis of {n}")


def _moving(c: KerasContext, value: Value, starts: Any, sizes: list[Dim]) -> Value:
    bounds = "clip" if backend() == "jax" else "error"
    neg = "invalid" if backend() == "tensorflow" else "from_end"
    return c.b.dynamic_slice(value, _as_values(c, starts), sizes=tuple(sizes), bounds=bounds, neg=neg)


def _as_values(c: KerasContext, starts: Any) -> list[Value]:
    values = [s if isinstance(s, Value) else c.value(c.size(s), "int32") for s in starts]
    wide = "int64" if any(v.type.dtype.name == "int64" for v in values) else "int32"
    return [c.cast(v, wide) for v in values]


@rule("ops.SliceUpdate")
def slice_update(c: KerasContext, op: Any, inputs: Any, start_indices: Any, updates: Any) -> Value:
    """A computed block that does not fit is moved until it does, on TensorFlow and jax; an error on torch."""
    value = c.value(inputs)
    given = c.value(updates)
    if given.type.dtype != value.type.dtype:
        if backend() != "torch":
            c.refuse(f"a block of {given.type.dtype} written into {value.type.dtype}", "cast it")
        given = c.cast(given, value.type.dtype)
    shape, starts = value.type.shape, _starts(c, start_indices, value.type.rank)
    if any(isinstance(s, Value) for s in starts):
        bounds = "error" if backend() == "torch" else "clip"
        neg = "from_end" if backend() == "jax" else "invalid"
        if backend() == "torch":
            c.note(
                "a block written at a negative position is an error in the converted model; on PyTorch each of its rows counts "
                "from the end for itself"
            )
        return c.b.dynamic_update_slice(value, given, _as_values(c, starts), bounds=bounds, neg=neg)
    _check(c, shape, starts, given.type.shape)
    axes = tuple(range(value.type.rank))
    stops = tuple(s + n for s, n in zip(starts, given.type.shape, strict=True))
    if all(s == 0 for s in starts) and given.type.shape == shape:
        return given
    return c.b.slice_update(value, given, axes=axes, starts=tuple(starts), stops=stops, steps=(1,) * len(axes))
