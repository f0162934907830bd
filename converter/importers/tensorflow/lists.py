"""Lists of tensors (TensorList, TensorArray) of one shape each, as arrays: a list of n elements is a tensor [n, ...].

TensorFlow's lists may hold tensors of different shapes; those that do are refused where that shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from converter.importers.base import Refusal
from converter.importers.partial.values import Ref, is_dim
from converter.importers.tensorflow.handles import Compound
from ir.core import Value
from ir.types import Dim, DType, same, symbols

if TYPE_CHECKING:
    from converter.importers.tensorflow.context import TensorflowContext

Sizes = tuple["Dim | None", ...]


@dataclass(frozen=True, eq=False)
class TensorList(Compound):
    """A list of `size` tensors. `array` is what they are, [size, ...]; None while nothing says of what shape: then all are
    zeros. `element` is the shape that was declared, None where its rank is open. A list that `grows` gets the places that
    are written. In a loop that writes one in order, every place is known to be the one behind its `end`, or `inside`."""

    dtype: DType
    size: Dim
    element: Sizes | None
    array: Ref | None = None
    grows: bool = False
    written: Literal["anywhere", "end", "inside"] = "anywhere"

    def parts(self) -> Sequence[Ref]:
        return [] if self.array is None else [self.array]

    def with_parts(self, parts: Sequence[Ref]) -> TensorList:
        return self.of(parts[0]) if parts else self

    def shape_key(self) -> object:
        return self.dtype, self.array is None

    def of(self, array: Ref) -> TensorList:
        """The list of the slices of another array."""
        return replace(self, array=array, size=array.type.shape[0])


def open_list(c: TensorflowContext, kind: Any, element: Sizes | None, size: Dim) -> TensorList:
    """A list of zeros."""
    if not isinstance(kind, DType):
        c.refuse(f"a list of {kind}")
    made = TensorList(kind, size, element)
    if element is not None and all(d is not None for d in element):
        return filled(c, made, tuple(d for d in element if d is not None))
    return made


def filled(c: TensorflowContext, item: TensorList, shape: Sequence[Dim]) -> TensorList:
    """A list whose elements have this shape; one that has an array keeps it. Refused where that has another shape."""
    wanted = tuple(shape)
    declared = item.element
    if declared is not None and not _fits(declared, wanted):
        c.refuse(f"an element of shape {list(wanted)} in a list of elements of shape {list(declared)}")
    if item.array is not None:
        if not _fits(wanted, item.array.type.shape[1:]):
            c.refuse(f"elements of different shapes, {list(wanted)} and {list(item.array.type.shape[1:])}, in one list")
        return item
    value = False if item.dtype.is_bool else 0
    made: Value = c.b.full(shape=(item.size, *wanted), value=value, dtype=item.dtype)
    return replace(item, array=Ref(made.type, made))


def _fits(declared: Sizes, shape: Sequence[Dim]) -> bool:
    return len(declared) == len(shape) and all(d is None or same(d, n) for d, n in zip(declared, shape, strict=True))


def array_of(c: TensorflowContext, item: TensorList, element: Sizes | None = None) -> Value:
    """The elements of a list, one array; where the list does not say of what shape they are, `element` does."""
    if item.array is None:
        if element is None or any(d is None for d in element):
            c.refuse("elements of a list into which nothing was written, and whose shape nothing says")
        item = filled(c, item, tuple(d for d in element if d is not None))
    assert item.array is not None
    return c.value(item.array)


def list_of(c: TensorflowContext, index: int) -> TensorList:
    """An operand that is a list."""
    found = c.inputs[index]
    if not isinstance(found, TensorList):
        c.refuse(f"input {index} is no list of tensors whose elements are known")
    return found


def element_shape(c: TensorflowContext, index: int) -> Sizes | None:
    """An operand that is a shape with -1 for open sizes; the scalar -1 is one of open rank."""
    ref = c.ref(index)
    found = c.elements(ref, "the shape of elements")
    if ref.type.rank == 0:
        return None
    return tuple(_size(e) for e in found.reshape(-1))


def _size(element: Any) -> Dim | None:
    return None if not is_dim(element) or (isinstance(element, int) and element < 0) else element


def known_places(c: TensorflowContext, index: int) -> np.ndarray | None:
    """Positions known at conversion."""
    found = c.const(index)
    return None if found is None else found.reshape(-1)


def all_places(c: TensorflowContext, index: int, size: Dim) -> bool:
    """Whether positions are certainly all of a list, in order."""
    places = known_places(c, index)
    if places is not None:
        return same(size, len(places)) is True and bool((places == np.arange(len(places))).all())
    made = c.x(index).producer
    if made is None or made.op.name != "arange":
        return False
    attrs = made.attrs
    return attrs["start"] == 0 and attrs["step"] == 1 and same(attrs["stop"], size) is True


def settled_lists(
    c: TensorflowContext, given: Sequence[Any], trial: Callable[[], tuple[Sequence[Any], set[str]]]
) -> list[Any]:
    """What a loop is given, its lists of open shape made of the shape of what the first trip writes into them.

    `trial` gives the loop variables after one trip, and the symbols of the surroundings. Refused where the shape has sizes
    that only a trip knows.
    """
    places = [i for i, item in enumerate(given) if isinstance(item, TensorList) and item.array is None]
    found = list(given)
    if not places:
        return found
    after, known = trial()
    for place in places:
        item = after[place]
        if not isinstance(item, TensorList) or item.array is None:
            continue
        shape = item.array.type.shape[1:]
        if any(s.name not in known for d in shape for s in symbols(d)):
            raise Refusal(f"elements of shape {list(shape)} in a list, whose sizes only the loop knows")
        found[place] = filled(c, found[place], shape)
    return found
