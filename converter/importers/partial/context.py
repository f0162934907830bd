"""What a rule works with where operands may be known content: the same helpers for every format that stores a graph."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence as Items
from typing import Any

import numpy as np

from converter.importers.base import Context, ImportOptions, Planner
from converter.importers.partial.values import Element, Ref, Sequence, is_dim
from ir.core import Model, Value
from ir.types import Dim, DType, TensorType, dtypes, symbol


class PartialContext(Context):
    """One node under import. `inputs` are its operands in order: Ref, Sequence, or None for an absent one."""

    def __init__(self, model: Model, plan: Planner, options: ImportOptions, inputs: Items[Any]) -> None:
        super().__init__(model, plan, options)
        self.inputs = list(inputs)

    @abstractmethod
    def _made(self, ref: Ref) -> Value:
        """A reference as a value readable in the graph under construction."""

    @abstractmethod
    def _fresh_symbol(self) -> str:
        """A size name that the model does not have yet."""

    def has(self, index: int) -> bool:
        """Whether an optional input is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def ref(self, index: int) -> Ref:
        """An input by position; refuses when it is absent."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if found is None:
            self.refuse(f"input {index} is missing")
        if isinstance(found, Sequence):
            self.refuse(f"input {index} is a sequence")
        return found

    def sequence(self, index: int) -> Sequence:
        """An input that is a sequence; refuses one that is not known element by element."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(found, Sequence):
            self.refuse(f"input {index} is no sequence whose elements are known at conversion")
        return found

    def x(self, index: int = 0) -> Value:
        """An input as a value."""
        return self.value(self.ref(index))

    def opt(self, index: int) -> Value | None:
        """An optional input as a value, None when absent."""
        return self.x(index) if self.has(index) else None

    def xs(self) -> list[Value]:
        """Every input as a value."""
        return [self.x(i) for i in range(len(self.inputs))]

    def value(self, ref: Ref) -> Value:
        """A reference as a value of the current graph."""
        return self._made(ref)

    def type(self, index: int = 0) -> TensorType:
        """Type of an input."""
        return self.ref(index).type

    def rank(self, index: int = 0) -> int:
        """Rank of an input."""
        return self.ref(index).type.rank

    def const(self, index: int) -> np.ndarray | None:
        """The content of a small input known at conversion, in its dtype; None when absent or unknown."""
        return self.ref(index).concrete() if self.has(index) else None

    def fixed(self, index: int, what: str) -> np.ndarray:
        """`const`, refusing when the input is only known at run time."""
        found = self.const(index)
        if found is None:
            self.refuse(f"{what} is computed at run time")
        return found

    def ints(self, index: int, what: str) -> tuple[int, ...]:
        """A small integer tensor known at conversion, flat."""
        return tuple(int(v) for v in self.fixed(index, what).reshape(-1))

    def dims(self, index: int, what: str) -> tuple[Dim, ...]:
        """A vector of sizes: integers, size expressions, or opaque sizes bound to the run-time elements."""
        ref = self.ref(index)
        if ref.type.rank > 1 or not ref.dtype.is_integer:
            self.refuse(f"{what} must be a vector of integers, got {ref.type}")
        return tuple(self.dim(e) for e in self.elements(ref, what).reshape(-1))

    def elements(self, ref: Ref, what: str) -> np.ndarray:
        """The elements of a small integer tensor: known ones, and `Element` for those only the run knows."""
        found = ref.elements()
        if found is None:
            self.refuse(f"{what} has a length that is not known at conversion ({ref.type})")
        return found

    def dim(self, element: Any) -> Dim:
        """An element as a size; one that only the run knows is bound to an opaque symbol (and must not be negative)."""
        if is_dim(element):
            return element
        if not isinstance(element, Element):
            self.refuse(f"{element!r} is no size")
        graph = self.b.graph
        if graph not in element.dims:
            name = self._fresh_symbol()
            scalar = self.element_value(element)
            if scalar.type.dtype != dtypes.int64:
                scalar = self.b.cast(scalar, to=dtypes.int64)
            self.b.bind_dim(scalar, symbol=name)
            element.dims[graph] = symbol(name, opaque=True)
        return element.dims[graph]

    def element_value(self, element: Element) -> Value:
        """A run-time element as a 0-d value."""
        value = self.value(element.source)
        for position in element.index:
            value = self.b.select(value, axis=0, index=position)
        return value

    def cast(self, value: Value, to: DType) -> Value:
        """A cast, left out where it changes nothing."""
        return value if value.type.dtype == to else self.b.cast(value, to=to)
