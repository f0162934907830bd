"""What a name of a source graph stands for during import: a value of the IR, stored bytes, or known small content."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ir.core import Graph, Value
from ir.data import Data
from ir.types import Dim, DimExpr, DType, TensorType

SMALL = 1024
"""Tensors up to this many elements are looked into; larger ones are only passed on."""
MAX_PENDING = 64
"""Elements up to which a run-time integer tensor is taken apart."""


@dataclass(frozen=True)
class Stored:
    """Bytes that come with the file: an initialiser or the value of a Constant node."""

    name: str
    data: Data
    record: dict[str, Any] | None = None  # what our own exporter noted of the weight: kind, trainable, aliases
    serial: int = 0  # order of reading
    changes: bool = False  # state, which is this only at first: its content is known to the run alone


@dataclass(eq=False)
class Element:
    """One element of an integer tensor that only the run knows. `dims` is the opaque size it was bound to, by graph."""

    source: Ref
    index: tuple[int, ...]
    dims: dict[Graph, Dim] = field(default_factory=dict)


class Ref:
    """One name. At least one of `value`, `stored`, `known` is set.

    `known` is an object array of the content: Python numbers, symbolic sizes, or `Element` where only the run knows.
    """

    __slots__ = ("_looked", "known", "made", "pending", "stored", "type", "value")

    def __init__(
        self,
        type: TensorType,
        value: Value | None = None,
        stored: Stored | None = None,
        known: np.ndarray | None = None,
    ) -> None:
        self.type = type
        self.value = value
        self.stored = stored
        self.known = known
        self.made: dict[Graph, Value] = {}  # the known content made a value, by the graph it was made in
        self.pending: np.ndarray | None = None  # elements of a run-time value, made when first asked for
        self._looked = False

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    def content(self) -> np.ndarray | None:
        """The elements as an object array, None when they are not known at conversion or too many."""
        if self.known is None and not self._looked:
            self._looked = True
            if self.stored is not None and not self.stored.changes and _count(self.type) <= SMALL:
                self.known = objects(self.stored.data.numpy())
        return self.known

    def concrete(self) -> np.ndarray | None:
        """The content as an array of the declared dtype, None unless every element is a plain number."""
        content = self.content()
        if content is None or not all(isinstance(e, (bool, int, float, complex)) for e in content.flat):
            return None
        if self.stored is not None:
            return self.stored.data.numpy()
        return np.array(content.tolist(), object).reshape(content.shape).astype(self.dtype.numpy)

    def elements(self) -> np.ndarray | None:
        """The content, or `Element`s for a small integer tensor of static shape; None where neither is there."""
        content = self.content()
        if content is not None or self.pending is not None:
            return content if content is not None else self.pending
        if (
            not self.type.is_static
            or not (self.dtype.is_integer or self.dtype.is_bool)
            or _count(self.type) > MAX_PENDING
        ):
            return None
        self.pending = np.empty(tuple(int(d) for d in self.type.shape), object)
        for index in np.ndindex(self.pending.shape):
            self.pending[index] = Element(self, index)
        return self.pending

    def __repr__(self) -> str:
        return f"<Ref {self.type} {'known' if self.known is not None else 'stored' if self.stored else 'value'}>"


@dataclass(frozen=True, eq=False)
class Sequence:
    """A sequence whose elements are known one by one: it resolves at import, no graph holds one."""

    items: tuple[Ref, ...]


def known(dtype: DType, content: np.ndarray) -> Ref:
    """A reference to known content."""
    return Ref(TensorType(dtype, tuple(content.shape)), known=content)


def objects(array: np.ndarray) -> np.ndarray:
    """An array's elements as Python numbers in an object array of the same shape."""
    wide = array.astype(np.float64) if array.dtype.kind == "V" or array.dtype.kind == "f" else array
    wide = wide.astype(np.int64) if array.dtype.name in ("int4", "uint4") else wide
    out = np.empty(array.shape, object)
    flat = wide.reshape(-1).tolist()
    for i, position in enumerate(np.ndindex(array.shape)):
        out[position] = flat[i]
    return out


def is_dim(element: Any) -> bool:
    """Whether an element of known content is a size: an integer or a size expression."""
    return isinstance(element, (int, DimExpr)) and not isinstance(element, bool)


def _count(type: TensorType) -> int:
    total = 1
    for d in type.shape:
        total *= d if isinstance(d, int) else SMALL + 1
    return total
