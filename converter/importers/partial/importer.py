"""What every import of a stored graph keeps: names of sizes, assumptions, and references made values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from converter.importers.base import ImportOptions, Planner, Refusal
from converter.importers.partial.values import Element, Ref, Sequence, Stored
from ir.core import Builder, Model, Value
from ir.types import Assumption
from ir.types.dim import symbols


class Poisoned(Exception):
    """A name whose maker was refused: what reads it cannot be judged."""


class HasBuilder(Protocol):
    """A frame, as far as values are concerned: where its nodes go."""

    builder: Builder


class PartialImporter(ABC):
    """The state of one import."""

    def __init__(self, model: Model, plan: Planner, options: ImportOptions) -> None:
        self.model = model
        self.plan = plan
        self.options = options
        self.symbols: set[str] = set()
        self.changing: set[str] = set()  # sizes of carried values that change from trip to trip
        self.assumptions: list[Assumption] = []
        self.derived: dict[Any, Ref] = {}  # parts of packed weights, so that a weight used twice stays one
        self._serial = 0
        self._weights: dict[int, tuple[Stored, Value]] = {}

    def fresh_symbol(self, base: str) -> str:
        """A size name that the model does not have yet."""
        name, i = base, 0
        while name in self.symbols:
            i += 1
            name = f"{base}_{i}"
        self.symbols.add(name)
        return name

    def assume(self, assumptions: Iterable[Assumption]) -> None:
        """Keep assumptions that were recorded apart."""
        self.assumptions.extend(assumptions)

    # -- what comes with the file -------------------------------------------------------------------------------
    def stored(self, name: str, data: Any, record: dict[str, Any] | None = None, changes: bool = False) -> Ref:
        """A reference to bytes of the file, which are the first of a state that `changes`."""
        self._serial += 1
        return Ref(data.type, stored=Stored(name, data, record, self._serial, changes))

    def mark(self) -> int:
        """A point in time for `forget`."""
        return self._serial

    def forget(self, mark: int) -> None:
        """Take back weights made of tensors that were read after `mark`: the body that read them is imported again."""
        for key, (stored, value) in list(self._weights.items()):
            if stored.serial > mark and not value.uses:
                self.model.remove_weight(value.name)
                self.forgotten(value.name)
                del self._weights[key]
        self.derived = {k: r for k, r in self.derived.items() if r.stored is None or r.stored.serial <= mark}

    def forgotten(self, name: str) -> None:  # noqa: B027
        """Told of each weight that was taken back."""

    # -- values -----------------------------------------------------------------------------------------------
    @abstractmethod
    def is_literal(self, stored: Stored, ref: Ref) -> bool:
        """Whether stored bytes become a constant of the graph instead of a weight with a name."""

    @abstractmethod
    def make_weight(self, stored: Stored, frame: Any) -> Value:
        """A new weight of the model for stored bytes."""

    def hint(self, name: str) -> str:
        """A readable name for a value from a name of the source."""
        return name

    def value(self, ref: Ref, frame: HasBuilder) -> Value:
        """A reference as a value readable in the frame's graph: a weight, a constant, or sizes made a tensor."""
        if isinstance(ref, Sequence):
            raise Refusal("a sequence cannot leave the graph that makes it")
        if ref.value is not None:
            return ref.value
        graph = frame.builder.graph
        if graph in ref.made:
            return ref.made[graph]
        if ref.stored is None:
            ref.made[graph] = self._known_value(ref, frame)
        elif self.is_literal(ref.stored, ref):
            ref.made[graph] = frame.builder.constant(ref.stored.data.numpy())
            ref.made[graph].name = self.hint(ref.stored.name)
        else:
            ref.value = self._weight(ref.stored, frame)
            return ref.value
        return ref.made[graph]

    def _weight(self, stored: Stored, frame: HasBuilder | None) -> Value:
        if id(stored) not in self._weights:
            self._weights[id(stored)] = (stored, self.make_weight(stored, frame))
        return self._weights[id(stored)][1]

    def free_name(self, base: str) -> str:
        """A weight name that neither a weight nor an input has."""
        name, i = base, 0
        while name in self.model.weights or name in {v.name for v in self.model.graph.inputs}:
            i += 1
            name = f"{base}_{i}"
        return name

    def _known_value(self, ref: Ref, frame: HasBuilder) -> Value:
        b, content = frame.builder, ref.content()
        if content is None:
            raise AssertionError(f"{ref!r} has no content")
        if all(isinstance(e, (bool, int, float, complex)) for e in content.flat):
            return b.constant(ref.concrete())
        scalars = [self._scalar(e, ref, frame) for e in content.flat]
        if content.ndim == 0:
            return scalars[0]
        out = b.stack(scalars, axis=0)
        return out if content.ndim == 1 else b.reshape(out, shape=content.shape)

    def _scalar(self, element: Any, ref: Ref, frame: HasBuilder) -> Value:
        b = frame.builder
        if isinstance(element, (bool, int, float, complex)):
            return b.constant(np.asarray(element, ref.dtype.numpy))
        if isinstance(element, Element):
            value = self.value(element.source, frame)
            for position in element.index:
                value = b.select(value, axis=0, index=position)
        else:
            value = b.dim(size=element)
        return value if value.type.dtype == ref.dtype else b.cast(value, to=ref.dtype)


def keep_assumptions(model: Model, assumptions: Iterable[Assumption]) -> None:
    """Assumptions over sizes known outside every body are checked by what is emitted; the others are told."""
    known = {s.name for v in model.graph.inputs for d in v.type.shape for s in symbols(d)}
    for node in model.graph:
        known.update(s.name for v in node.outputs for d in v.type.shape for s in symbols(d))
        known.update([node.attrs["symbol"]] if isinstance(node.attrs.get("symbol"), str) else [])
    for item in dict.fromkeys(assumptions):
        if all(s.name in known for d in (item.left, item.right) for s in symbols(d)):
            model.assumptions.append(item)
        else:
            model.notes.append(f"assumed inside a loop or branch: {item}")
