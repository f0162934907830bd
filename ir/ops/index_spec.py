"""NumPy-style subscripts as data: what `x[spec]` reads, and how it is built from smaller ops.

A spec is a tuple of entries: `("slice", start, stop, step)` (None is open), `("int", k)`, `("newaxis",)`,
`("ellipsis",)`, `("array", n)` (the n-th index array; a boolean one is a mask over as many axes as it has). A plan
resolves it against a shape in three steps: static slices and integers (a view), one read at index vectors over the axes
that arrays index, and an arrangement of the result's axes.

The broadcast shape of the arrays forms one block of axes. Under rule `numpy` integers count as arrays once there is an
array; the block stands where the arrays stood if they are neighbours (newaxis, slices and ellipsis separate them), else
in front. Under rule `torch` integers and 0-d arrays are selected first and play no part in that, nor does an ellipsis
that stands for no axis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ir.ops.slicing import check_position, slice_range
from ir.types import Dim, Shape, TensorType
from ir.types.errors import AttributeValueError, DTypeError, ShapeError

Entry = tuple[Any, ...]
_LENGTHS = {"slice": 4, "int": 2, "newaxis": 1, "ellipsis": 1, "array": 2}


@dataclass(frozen=True)
class Column:
    """One index vector component: array number, and for a mask which of its axes (None: an integer array)."""

    array: int
    mask_axis: int | None = None


@dataclass(frozen=True)
class Plan:
    """A resolved spec. Axes are those of the data after `static`; `layout` lists the result's axes before `newaxes`.

    `static`: per axis of data None (whole), (start, stop, step), or an int that drops it. `columns[k]` indexes the
    axis `indexed[k]`. `layout` holds the axes that stay, and "block" once where the arrays' axes go.
    """

    static: tuple[Any, ...]
    indexed: tuple[int, ...]
    columns: tuple[Column, ...]
    layout: tuple[Any, ...]
    newaxes: tuple[int, ...]  # places in the result, the block counting as one

    @property
    def kept(self) -> tuple[int, ...]:
        """Axes that no array indexes, in the result's order."""
        return tuple(a for a in self.layout if a != "block")

    def static_shape(self, shape: Shape) -> Shape:
        """The shape after the static step."""
        out: list[Dim] = []
        for item, size in zip(self.static, shape, strict=True):
            if isinstance(item, tuple):
                start, stop, step = item
                out.append(slice_range(start, stop, step, size)[1])
            elif item is None:
                out.append(size)
        return tuple(out)

    def result(self, rest: Sequence[Any], block: Sequence[Any], one: Any = 1) -> tuple[Any, ...]:
        """Entries for each axis of the result: from `rest` (by axis) and `block`, and `one` for each new axis."""
        groups = [tuple(block) if a == "block" else (rest[a],) for a in self.layout]
        for place in self.newaxes:
            groups.insert(place, (one,))
        return tuple(x for group in groups for x in group)


def check_spec(spec: Sequence[Entry], arrays: Sequence[TensorType]) -> None:
    """Raise AttributeValueError on a malformed spec and DTypeError on an array that is no index and no mask."""
    for entry in spec:
        if not entry or entry[0] not in _LENGTHS or len(entry) != _LENGTHS[entry[0]]:
            raise AttributeValueError(f"{entry!r} is no entry of an index spec")
    used = [e[1] for e in spec if e[0] == "array"]
    if sorted(used) != list(range(len(arrays))):
        raise AttributeValueError(f"the spec uses arrays {used}, {len(arrays)} are given; each must be used once")
    if sum(e[0] == "ellipsis" for e in spec) > 1:
        raise AttributeValueError("an index spec has at most one ellipsis")
    for t in arrays:
        if not (t.dtype.is_integer or t.dtype.is_bool):
            raise DTypeError(f"an index array must hold integers or be a mask, got {t}")
        if t.dtype.is_bool and t.rank == 0:
            raise ShapeError("a 0-d mask as an index is not supported")


def plan(spec: Sequence[Entry], shape: Shape, arrays: Sequence[TensorType], rule: str) -> Plan:
    """Resolve a spec; raises ShapeError, PositionError, AttributeValueError or DTypeError where it does not apply."""
    check_spec(spec, arrays)
    entries = list(_expand(spec, len(shape), arrays))
    scan = _Scan(rule, arrays, shape)
    for entry in entries:
        scan.take(entry)
    layout, newaxes = scan.arrange()
    return Plan(tuple(scan.static), tuple(scan.indexed), tuple(scan.columns), layout, newaxes)


def _consumed(entry: Entry, arrays: Sequence[TensorType]) -> int:
    if entry[0] == "array":
        t = arrays[entry[1]]
        return t.rank if t.dtype.is_bool else 1
    return 1 if entry[0] in ("slice", "int") else 0


def _expand(spec: Sequence[Entry], rank: int, arrays: Sequence[TensorType]) -> Iterator[Entry]:
    """The spec with its ellipsis (at the end if there is none) spelled out: ("ellipsis",) then open slices."""
    missing = rank - sum(_consumed(e, arrays) for e in spec)
    if missing < 0:
        raise ShapeError(f"an index of {rank - missing} axes into a tensor of rank {rank}")
    full = [("slice", None, None, None)] * missing
    for entry in spec:
        yield entry
        if entry[0] == "ellipsis":
            yield from full
    if not any(e[0] == "ellipsis" for e in spec):
        yield from full


class _Scan:
    """Walks the entries from left to right, collecting the parts of a plan."""

    def __init__(self, rule: str, arrays: Sequence[TensorType], shape: Shape) -> None:
        self.rule, self.arrays, self.shape = rule, arrays, shape
        self.static: list[Any] = []
        self.indexed: list[int] = []
        self.columns: list[Column] = []
        self.order: list[Any] = []  # axis | "new" | "adv" (takes part in placing the block) | "gap" (separates)
        self.axis = 0  # the next axis after the static step

    def take(self, entry: Entry) -> None:
        """Add one entry."""
        kind = entry[0]
        if kind == "newaxis":
            self.order.append("new")
        elif kind == "ellipsis":
            if self.rule == "numpy":
                self.order.append("gap")
        elif kind == "slice":
            self._slice(*entry[1:])
        elif kind == "int":
            self._integer(entry[1])
        else:
            self._array(entry[1])

    def _slice(self, start: Dim | None, stop: Dim | None, step: int | None) -> None:
        whole = start is None and stop is None and step in (None, 1)
        self.static.append(None if whole else (start, stop, 1 if step is None else step))
        self.order.append(self.axis)
        self.axis += 1

    def _integer(self, index: int) -> None:
        check_position(index, self.shape[len(self.static)])
        self.static.append(index)
        if self.rule == "numpy" and self.arrays:
            self.order.append("adv")

    def _array(self, number: int) -> None:
        t = self.arrays[number]
        columns = [Column(number, k) for k in range(t.rank)] if t.dtype.is_bool else [Column(number)]
        for column in columns:
            self.static.append(None)
            self.indexed.append(self.axis)
            self.columns.append(column)
            self.axis += 1
        if self.rule == "numpy" or t.rank:
            self.order.append("adv")

    def arrange(self) -> tuple[tuple[Any, ...], tuple[int, ...]]:
        """The result's axes with the block placed, and where new axes go."""
        places = [k for k, item in enumerate(self.order) if item == "adv"]
        adjacent = not places or places[-1] - places[0] + 1 == len(places)
        merged: list[Any] = []
        if not adjacent or (not places and self.columns):
            merged.append("block")
        for item in self.order:
            if item == "adv":
                if adjacent and "block" not in merged:
                    merged.append("block")
            elif item != "gap":
                merged.append(item)
        newaxes = tuple(k for k, item in enumerate(merged) if item == "new")
        return tuple(item for item in merged if item != "new"), newaxes
