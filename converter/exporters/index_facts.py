"""What is certain about indices from how they are made: never negative, and no position twice.

Exporters leave out guards and notes where these hold. Nothing is assumed: what is not proven here is not certain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ir.core import Node, Value
from ir.types import normalize_axis

_SAME = {"identity", "reshape", "expand", "unsqueeze", "squeeze", "transpose", "slice", "select", "flip"}
_ALL = {"concat", "stack", "add", "minimum"}
_POSITIONS = {"argmax", "argmin", "nonzero", "dim"}


def never_negative(value: Value) -> bool:
    """Whether no element can be below 0."""
    made, dtype = value.producer, value.type.dtype
    if dtype.kind == "uint":
        return True
    if made is None:
        return False
    name, a = made.op.name, made.attrs
    if name == "constant":
        array = a["value"].value
        return bool(array.size == 0 or array.min() >= 0)
    if name == "arange":
        return isinstance(a["start"], int) and isinstance(a["step"], int) and a["start"] >= 0 and a["step"] > 0
    if name == "cast":
        x = made.operand("x").type.dtype
        widens = x.is_integer and (x.bits < dtype.bits or x == dtype)
        return widens and never_negative(made.operand("x"))
    if name == "maximum":
        return any(never_negative(v) for v in made.inputs)
    if name == "where":
        return never_negative(made.operand("x")) and never_negative(made.operand("y"))
    if name in _SAME:
        return never_negative(made.inputs[0])
    if name in _ALL:
        return (name != "add" or dtype.bits == 64) and all(never_negative(v) for v in made.inputs)
    return name in _POSITIONS or (name in ("sort", "top_k") and value is made.outputs[1])


def repeats(node: Node) -> bool:
    """Whether a write may name a place twice, so that the order counts."""
    if node.attrs["reduction"] != "none" or node.attrs["unique"]:
        return False
    if node.op.name == "index_put":
        return not _distinct_together(node.operands["arrays"])
    indices = node.operand("indices")
    if node.op.name == "scatter_nd":
        return not distinct_rows(indices)
    return not distinct_elements(indices, normalize_axis(node.attrs["axis"], indices.type.rank))


def distinct_rows(indices: Value) -> bool:
    """Whether no two index vectors (along the last axis, as `scatter_nd` takes them) name the same place.

    Vectors that differ name different places only where none counts from the end.
    """
    rank = indices.type.rank - 1
    if all(d == 1 for d in indices.type.shape[:-1]):
        return True
    made = indices.producer
    if made is None or not never_negative(indices) or indices.type.shape[-1] == 0:  # no index: the whole tensor
        return False
    if made.op.name == "constant":
        rows = made.attrs["value"].value
        rows = rows.reshape(-1, rows.shape[-1])
        return len(np.unique(rows, axis=0)) == len(rows)
    if made.op.name == "nonzero":
        return True
    parts = _components(made, rank)
    covered: set[int] = set().union(*(_injective(p) for p in parts)) if parts else _injective(indices)
    return covered >= {k for k in range(rank) if indices.type.shape[k] != 1} or _whole_mask(parts)


def distinct_elements(indices: Value, axis: int) -> bool:
    """Whether no two elements, as `scatter_elements` takes them, name the same place along `axis`."""
    if not never_negative(indices):
        return False
    made = indices.producer
    if made is not None and made.op.name == "constant":
        ordered = np.sort(made.attrs["value"].value, axis)
        return not bool((np.diff(ordered, axis=axis) == 0).any())
    return axis in _injective(indices) or indices.type.shape[axis] == 1


def _distinct_together(arrays: Sequence[Value]) -> bool:
    """Whether the index arrays of a subscript, masks among them, name no place twice once they are broadcast."""
    rank = max((1 if v.type.dtype.is_bool else v.type.rank for v in arrays), default=0)
    covered, needed = set[int](), set[int]()
    for v in arrays:
        if v.type.dtype.is_bool:  # a list of positions, which has none twice
            covered.add(rank - 1)
            continue
        shift = rank - v.type.rank
        needed |= {k + shift for k, size in enumerate(v.type.shape) if size != 1}
        covered |= {k + shift for k in _injective(v)} if never_negative(v) else set()
    return covered >= needed


def _components(made: Node, rank: int) -> list[Value]:
    """The parts that the last axis of index vectors is joined from, each with the axes before it."""
    if made.op.name == "stack" and made.attrs["axis"] in (rank, -1):
        return list(made.inputs)
    if made.op.name == "concat" and made.attrs["axis"] in (rank, -1):
        return list(made.inputs)
    return []


def _whole_mask(parts: list[Value]) -> bool:
    """Whether the parts hold every column of one list of positions, which has no row twice."""
    columns: dict[Value, set[int]] = {}
    for part in parts:
        made = part.producer
        while made is not None and made.op.name in ("unsqueeze", "identity"):
            made = made.inputs[0].producer
        if made is None or made.op.name != "select" or made.attrs["axis"] != 1:
            continue
        listed = made.operand("x")
        if listed.producer is not None and listed.producer.op.name == "nonzero":
            columns.setdefault(listed, set()).add(made.attrs["index"] % listed.type.shape[1])
    return any(len(found) == listed.type.shape[1] for listed, found in columns.items())


def _injective(value: Value) -> set[int]:
    """Axes such that elements which differ along any of them differ in value; axes of size 1 may be among them."""
    made = value.producer
    if made is None:
        return set()
    name, a = made.op.name, made.attrs
    if name == "arange":
        return {0} if a["step"] != 0 else set()
    if name == "constant":
        array = a["value"].value
        return {0} if array.ndim == 1 and len(np.unique(array)) == array.size else set()
    if name in ("identity", "slice", "flip"):
        return _injective(made.inputs[0])
    if name == "cast":
        narrow = made.operand("x").type.dtype
        return _injective(made.inputs[0]) if narrow.is_integer and narrow.bits <= value.type.dtype.bits else set()
    if name == "unsqueeze":
        new = sorted(k % value.type.rank for k in a["axes"])
        kept = [k for k in range(value.type.rank) if k not in new]
        return {kept[k] for k in _injective(made.inputs[0])}
    if name == "expand":
        x = made.inputs[0]
        shift = value.type.rank - x.type.rank
        return {k + shift for k in _injective(x) if x.type.shape[k] == value.type.shape[k + shift]}
    return set()
