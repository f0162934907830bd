"""What names of a TensorFlow graph stand for beside tensors: variables, and objects made of several tensors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from converter.importers.partial.values import Ref


class Handle:
    """A resource: it stands for itself in every graph and body, and is never a tensor."""

    what = "resource"


@dataclass(eq=False)
class Variable(Handle):
    """A variable. `ref` is what comes with the model (None where that is no tensor of numbers); what an assignment made of it
    is the importer's `current`."""

    what = "variable"

    name: str
    ref: Ref | None


@dataclass(eq=False)
class Unknown(Handle):
    """An object that is no variable and no table; no rule reads it."""

    name: str
    kind: str

    @property
    def what(self) -> str:  # type: ignore[override]
        return self.kind


class Compound(ABC):
    """An object that resolves to tensors at import: a list of tensors, an array of them.

    A closed body takes its `parts` as operands and rebuilds the object inside (`with_parts`); both sides of a branch, and
    all trips of a loop, must have objects of one `shape_key`.
    """

    what = "list of tensors"

    @abstractmethod
    def parts(self) -> Sequence[Ref]:
        """The tensors that it is made of."""

    @abstractmethod
    def with_parts(self, parts: Sequence[Ref]) -> Compound:
        """The same object made of other tensors."""

    @abstractmethod
    def shape_key(self) -> object:
        """What must be equal for two such objects to be interchangeable: all that `parts` does not say."""


Dress = Callable[[Ref], Any]
"""Makes of a tensor of numbers the object that they stand for."""


@dataclass(frozen=True, eq=False)
class Strings:
    """Text that the graph holds."""

    content: np.ndarray = field(repr=False)  # of bytes objects

    what = "text"
