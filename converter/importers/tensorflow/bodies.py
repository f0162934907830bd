"""Functions as closed bodies: what they read becomes operands, variables that they assign become results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from converter.importers.base import Refusal
from converter.importers.partial.bodies import everywhere
from converter.importers.partial.importer import Poisoned
from converter.importers.partial.values import Ref
from converter.importers.tensorflow.handles import Compound, Variable
from ir.core import Builder, Graph, Value
from ir.types import TensorType

if TYPE_CHECKING:
    from converter.importers.tensorflow.context import TensorflowContext
    from converter.importers.tensorflow.graph import Frame


class Operands:
    """What a body is given: objects that are the same everywhere, tensors, and objects made of tensors.

    `moving` are the places of tensors that are operands of the node even where their content is known: a loop changes them.
    """

    def __init__(self, c: TensorflowContext, given: Sequence[Any], moving: Iterable[int] = ()) -> None:
        self.c, self.given, self.moving = c, list(given), set(moving)
        self.refs: list[Ref] = []  # the operands, flat
        self._counts: list[int] = []
        for place, item in enumerate(self.given):
            parts = self._parts(item, place)
            self.refs += parts
            self._counts.append(len(parts))

    def _parts(self, item: Any, place: int) -> list[Ref]:
        if isinstance(item, Compound):
            return list(item.parts())
        return [item] if isinstance(item, Ref) and (place in self.moving or not everywhere(item)) else []

    @property
    def values(self) -> list[Value]:
        """The operands as values of the surrounding graph."""
        return [self.c.value(r) for r in self.refs]

    def span(self, place: int) -> range:
        """Which of the flat operands one object is made of."""
        start = sum(self._counts[:place])
        return range(start, start + self._counts[place])

    def inside(self, inputs: Sequence[Value]) -> list[Any]:
        """The objects as a body sees them, made of its inputs."""
        found: list[Any] = []
        left = iter(inputs)
        for item, count in zip(self.given, self._counts, strict=True):
            refs = [Ref(v.type, v) for v in (next(left) for _ in range(count))]
            found.append(item.with_parts(refs) if isinstance(item, Compound) else refs[0] if refs else item)
        return found


@dataclass
class Body:
    """A function as a graph. `results` are its outputs as objects, `outputs` the tensors to give, `entry` and `assigned` what
    variables are before and after."""

    graph: Graph
    frame: Frame
    results: list[Any]
    outputs: list[Ref]
    entry: dict[Variable, Ref]
    assigned: dict[Variable, Ref]

    def held(self, c: TensorflowContext, variable: Variable) -> Ref:
        """What a variable is at the end."""
        return self.assigned.get(variable) or self.entry.get(variable) or c.importer.state.own(variable)

    def close(self, c: TensorflowContext) -> None:
        """Make the outputs those of the graph."""
        self.graph.set_outputs([c.importer.value(r, self.frame) for r in self.outputs])


def import_body(
    c: TensorflowContext,
    function: str,
    operands: Operands,
    types: Sequence[TensorType],
    variables: Sequence[Variable] = (),
    order: Sequence[int] | None = None,
) -> Body:
    """A function as a body. `types` are those of the flat operands, then of the `variables` that the body is given as
    operands because they are not what the model holds any more; `order` is that of the graph's inputs (by default the
    same). Raises Poisoned when a result is refused."""
    graph = Graph(function)
    names = [*_names(c, function, operands), *(v.name for v in variables)]
    made = {k: graph.add_input(types[k], names[k]) for k in (range(len(types)) if order is None else order)}
    inputs = [made[k] for k in range(len(types))]
    given = operands.inside(inputs[: len(inputs) - len(variables)])
    state = c.importer.state
    outer = dict(state.current)
    for variable, value in zip(variables, inputs[len(inputs) - len(variables) :], strict=True):
        state.current[variable] = Ref(value.type, value)
    entry = dict(state.current)
    builder = Builder(graph, origin=c.b.origin)
    path = c.importer.places.path(c.frame, c.node.name)
    frame = c.importer.enter(function, builder, path, given, c.frame, c.node.name)
    try:
        c.importer.run_function(function, frame)
        if any(k[0] in frame.poisoned for k in frame.body.outputs):
            raise Poisoned(function)
        results = [frame.find(k) for k in frame.body.outputs]
        assigned = {v: r for v, r in state.current.items() if entry.get(v) is not r}
    finally:
        state.current = outer
    return Body(graph, frame, results, flat(results), entry, assigned)


def _names(c: TensorflowContext, function: str, operands: Operands) -> list[str]:
    """Names for the inputs of a body: those of the function's arguments."""
    arguments = c.importer.library.body(function).arguments
    found = []
    for place, name in enumerate(arguments):
        count = len(operands.span(place))
        found += [name] if count == 1 else [f"{name}_{i}" for i in range(count)]
    return found


def flat(results: Iterable[Any]) -> list[Ref]:
    """Results as tensors; objects that are the same everywhere have none."""
    found: list[Ref] = []
    for item in results:
        if isinstance(item, Ref):
            found.append(item)
        elif isinstance(item, Compound):
            found += item.parts()
    return found


def match(results: Sequence[Sequence[Any]], what: str) -> list[Any]:
    """One object for each result of several bodies, which must be alike; raises Refusal where they are not."""
    found = []
    for items in zip(*results, strict=True):
        first = items[0]
        alike = all(type(i) is type(first) for i in items)
        if alike and isinstance(first, Compound):
            alike = all(i.shape_key() == first.shape_key() for i in items)
        elif alike and not isinstance(first, Ref):
            alike = all(i is first for i in items)
        if not alike:
            raise Refusal(f"{what} are objects of different kinds")
        found.append(first)
    return found


def rebuilt(like: Sequence[Any], values: Sequence[Value]) -> list[Any]:
    """Objects of the kinds of `like` made of the results of a node."""
    found: list[Any] = []
    left = iter(values)
    for item in like:
        if isinstance(item, Compound):
            refs = [Ref(v.type, v) for v in (next(left) for _ in item.parts())]
            found.append(item.with_parts(refs))
        else:
            found.append(next(left) if isinstance(item, Ref) else item)
    return found


def touched(c: TensorflowContext, given: Iterable[Any]) -> list[Variable]:
    """Variables among what a body is given that are not what the model holds any more."""
    return [v for v in dict.fromkeys(x for x in given if isinstance(x, Variable)) if v in c.importer.state.current]
