"""Variables that a graph assigns: what they are at each point of it, and whether their accesses have an order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from converter.importers.base import Refusal
from converter.importers.partial.values import Ref
from converter.importers.tensorflow.handles import Variable
from ir.core import Value
from ir.types import same

if TYPE_CHECKING:
    from converter.importers.tensorflow.graph import Frame


@dataclass(frozen=True)
class Access:
    """A node that reads or writes a variable."""

    node: str
    writes: bool


class State:
    """`current` holds what assigned variables are so far. `weight` makes the weight of a variable: what it holds is never
    looked into, since it may be another in each call."""

    def __init__(self, weight: Callable[[Ref], Value]) -> None:
        self.current: dict[Variable, Ref] = {}
        self._weight = weight
        self._own: dict[Variable, Ref] = {}
        self._accesses: dict[tuple[Frame, Variable], list[Access]] = {}

    def read(self, variable: Variable, frame: Frame, node: str) -> Ref:
        """What a variable is where a node reads it; raises Refusal for one that holds no numbers."""
        self._note(variable, frame, Access(node, False))
        return self.held(variable)

    def held(self, variable: Variable) -> Ref:
        """What a variable is so far; raises Refusal for one that holds no numbers."""
        if variable in self.current:
            return self.current[variable]
        return self.own(variable)

    def own(self, variable: Variable) -> Ref:
        """What the model holds for a variable before it runs."""
        if variable.ref is None:
            raise Refusal(f"the variable {variable.name} holds no numbers")
        if variable not in self._own:
            value = self._weight(variable.ref)
            self._own[variable] = Ref(value.type, value)
        return self._own[variable]

    def assign(self, variable: Variable, value: Value, frame: Frame, node: str) -> None:
        """A variable's next value. Raises Refusal where it is of another type."""
        held = variable.ref
        fits = held is not None and held.type.dtype == value.type.dtype and held.type.rank == value.type.rank
        if held is None or not fits or not all(map(same, held.type.shape, value.type.shape)):
            raise Refusal(
                f"the variable {variable.name} is {held.type if held else 'no tensor'} and is assigned {value.type}"
            )
        self.own(variable)  # a weight, whether it is read or not
        self._note(variable, frame, Access(node, True))
        self.current[variable] = Ref(value.type, value)

    def _note(self, variable: Variable, frame: Frame, access: Access) -> None:
        """Note an access, also for the calls that it is inside of: those are what the outer graph orders."""
        here, node = frame, access.node
        while True:
            found = self._accesses.setdefault((here, variable), [])
            if (step := Access(node, access.writes)) not in found:
                found.append(step)
            if here.caller is None:
                return
            here, node = here.caller, here.call

    def check(self, frame: Frame) -> list[tuple[str, str]]:
        """Pairs of a node and a reason, for accesses of a frame whose order the graph leaves open."""
        found = []
        for (owner, variable), accesses in self._accesses.items():
            if owner is not frame or not any(a.writes for a in accesses):
                continue
            for i, first in enumerate(accesses):
                for second in accesses[i + 1 :]:
                    ordered = first.node == second.node or not (first.writes or second.writes)
                    if not ordered and not frame.body.reaches(first.node, second.node):
                        reason = (
                            f"nothing says whether it comes before {first.node} in reading and writing {variable.name}"
                        )
                        found.append((second.node, reason))
        return found
