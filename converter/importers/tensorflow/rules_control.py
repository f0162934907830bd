"""Calls of functions, and branches and loops over functions. Branches that are decided at conversion are taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from converter.importers.partial.bodies import discard, settle, with_symbols
from converter.importers.partial.values import Ref, is_dim
from converter.importers.tensorflow.bodies import Body, Operands, flat, import_body, match, rebuilt, touched
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.handles import Compound, Variable
from converter.importers.tensorflow.lists import TensorList, filled, settled_lists
from converter.importers.tensorflow.loops import filled_in_order, is_only_counter, step_of, trips_of, unchanged
from converter.importers.tensorflow.table import rule
from ir.core import Builder, Graph, Value
from ir.types import Dim, TensorType, same, symbols


@rule("PartitionedCall", "StatefulPartitionedCall")
def call(c: TensorflowContext) -> list[Any]:
    """The function's nodes in place."""
    c.ignore("config", "config_proto", "executor_type", "Tout")
    return c.importer.call(c.attr("f").name, c.frame, c.node.name, c.inputs)


# -- branches -----------------------------------------------------------------------------------------------------------
@rule("If", "StatelessIf")
def if_(c: TensorflowContext) -> list[Any]:
    c.ignore("Tout", "output_shapes", "Tcond")
    then, other = c.attr("then_branch").name, c.attr("else_branch").name
    decided = c.const(0)
    if decided is not None:
        taken = bool(decided.reshape(())) if decided.ndim == 0 else decided.size > 0
        return c.importer.call(then if taken else other, c.frame, c.node.name, c.inputs[1:])
    return _chosen(c, [then, other], c.inputs[1:])


@rule("Case", "StatelessCase")
def case(c: TensorflowContext) -> list[Any]:
    """A branch by its number; a number that is none means the last one."""
    c.ignore("Tout", "output_shapes")
    branches = [f.name for f in c.attr("branches")]
    decided = c.const(0)
    if decided is not None:
        index = int(decided.reshape(()))
        taken = branches[index if 0 <= index < len(branches) else -1]
        return c.importer.call(taken, c.frame, c.node.name, c.inputs[1:])
    if len(branches) == 1:
        return c.importer.call(branches[0], c.frame, c.node.name, c.inputs[1:])
    return _chosen(c, branches, c.inputs[1:])


def _chosen(c: TensorflowContext, branches: list[str], given: list[Any]) -> list[Any]:
    """The results of the branch that the first operand chooses."""
    operands, variables = Operands(c, given), touched(c, given)
    current = [c.value(c.importer.state.current[v]) for v in variables]
    types = [*(r.type for r in operands.refs), *(v.type for v in current)]
    bodies = [import_body(c, name, operands, types, variables) for name in branches]
    like = match([b.results for b in bodies], "results of its branches")
    assigned = list(dict.fromkeys(v for b in bodies for v in b.assigned))
    for body in bodies:
        body.outputs += [body.held(c, v) for v in assigned]
        body.close(c)
    _same_ranks(c, bodies)
    graphs = [b.graph for b in bodies]
    values = [*operands.values, *current]
    found = _by_number(c, graphs, values) if c.op.endswith("Case") else _by_truth(c, graphs, values)
    keep(c, assigned, found)
    return rebuilt(like, found[: len(found) - len(assigned)])


def keep(c: TensorflowContext, assigned: Sequence[Variable], results: Sequence[Value | None]) -> None:
    """The last results of a node become what the variables are from here on."""
    for variable, value in zip(assigned, results[len(results) - len(assigned) :], strict=True):
        if value is not None:
            c.assign(variable, value)


def _same_ranks(c: TensorflowContext, bodies: Sequence[Body]) -> None:
    for i, values in enumerate(zip(*(b.graph.outputs for b in bodies), strict=True)):
        ranks = sorted({v.type.rank for v in values})
        if len(ranks) > 1:
            c.refuse(
                f"result {i} has rank {ranks[0]} in one branch and {ranks[-1]} in another, and only the run knows which"
            )


def _by_truth(c: TensorflowContext, graphs: list[Graph], values: list[Value]) -> tuple[Value, ...]:
    flag, (then, other) = truth(c, c.b, c.x(0)), graphs
    return with_symbols(c.importer, lambda names: c.b.cond(flag, values, symbols=names, then=then, **{"else": other}))


def _by_number(c: TensorflowContext, graphs: list[Graph], values: list[Value]) -> tuple[Value, ...]:
    """Branches one inside the other, each of which also has the number as its last input."""
    index = c.x(0)
    for graph in graphs:
        graph.add_input(index.type, "branch")
    rest = graphs[-1]
    for number in range(len(graphs) - 2, 0, -1):
        outer = Graph(f"from_{number}")
        inputs = [outer.add_input(v.type, v.name) for v in graphs[number].inputs]
        builder = Builder(outer, origin=c.b.origin)
        outer.set_outputs(_one_of(c, builder, inputs[-1], number, inputs, graphs[number], rest))
        rest = outer
    return _one_of(c, c.b, index, 0, [*values, index], graphs[0], rest)


def _one_of(
    c: TensorflowContext, b: Builder, index: Value, number: int, values: list[Value], then: Graph, other: Graph
) -> tuple[Value, ...]:
    flag = b.equal(index, number)
    return with_symbols(c.importer, lambda names: b.cond(flag, values, symbols=names, then=then, **{"else": other}))


def truth(c: TensorflowContext, b: Builder, x: Value) -> Value:
    """What decides a branch or loop, as a truth value: a number is one where it is not 0."""
    if x.type.rank:
        c.refuse(f"what decides it is {x.type}, not one truth value")
    return x if x.type.dtype.is_bool else b.not_equal(x, 0)


# -- loops --------------------------------------------------------------------------------------------------------------
@rule("While", "StatelessWhile")
def while_(c: TensorflowContext) -> list[Any]:
    """Runs while the condition holds. What a trip hands on unchanged is no carried value."""
    c.ignore("output_shapes", "parallel_iterations")
    return Loop(c, c.attr("cond").name, c.attr("body").name).make()


@dataclass(frozen=True)
class _Made:
    """The bodies of a loop, what it is given, how often it runs where that is known, and where the importer was before."""

    body: Body
    test: Graph
    values: list[Value]
    trips: Dim | None
    mark: Any
    refused: int


class Loop:
    """The loop of a node. `moving` are places of the loop variables that a trip may change; those and the variables that it
    assigns are carried."""

    def __init__(self, c: TensorflowContext, cond: str, body: str) -> None:
        self.c, self.cond, self.body = c, cond, body
        kept = unchanged(c.importer.library.body(body))
        self.moving = [i for i in range(len(c.inputs)) if i not in kept]
        for place in self.moving:
            if not isinstance(c.inputs[place], (Ref, Compound)):
                what = getattr(c.inputs[place], "what", "sequence")
                c.refuse(f"a trip changes its loop variable {place}, which is a {what}")
        self.assigned: list[Variable] = []
        self.filled = self._filled_in_order()
        self._mark(dict.fromkeys(self.filled, "end"))
        self.operands = Operands(c, c.inputs, self.moving)
        c.inputs = settled_lists(c, c.inputs, self._first_trip)
        self.operands = Operands(c, c.inputs, self.moving)

    def _first_trip(self) -> tuple[list[Any], set[str]]:
        """The loop variables after a trip, made to look at and taken back, and the symbols of what the loop is given."""
        c = self.c
        mark, refused = c.importer.mark(), len(c.importer.plan.items)
        types = self._types()
        body = import_body(c, self.body, self.operands, types, self._variables(), self._order())
        discard(c.importer, body.graph, mark, refused)
        return body.results, {s.name for t in types for d in t.shape for s in symbols(d)}

    def make(self) -> list[Any]:
        """Build the node; the loop variables after the last trip."""
        made = self._built()
        wrong = [place for place, counter in self.filled.items() if self._step(made, counter) != 1]
        if wrong:
            made = self._rebuilt(made, dict.fromkeys(wrong, "anywhere"))
        sized = self._sized_lists(made)
        if sized:
            for place, item in sized.items():
                self.c.inputs[place] = item
            made = self._rebuilt(made, dict.fromkeys(sized, "inside"))
        results = self._node(made)
        keep(self.c, self.assigned, results)
        return self._results(results)

    def _built(self) -> _Made:
        c = self.c
        mark, refused = c.importer.mark(), len(c.importer.plan.items)
        body = self._settled()
        body.close(c)
        variables, order = self._variables(), self._order()
        held = [c.value(c.importer.state.held(v)) for v in variables]
        values = [[*self.operands.values, *held][k] for k in order]
        test = self._test([v.type for v in body.graph.inputs], order)
        trips = trips_of(test, body.graph, lambda place: self._start(order, place))
        if trips is not None and self._changes_inside(trips):
            trips = None
        return _Made(body, test, values, trips, mark, refused)

    def _rebuilt(self, made: _Made, written: dict[int, Any]) -> _Made:
        """Everything again, with lists written in other ways."""
        discard(self.c.importer, made.test, made.mark, made.refused)
        discard(self.c.importer, made.body.graph, made.mark, made.refused)
        self._mark(written)
        self.operands = Operands(self.c, self.c.inputs, self.moving)
        return self._built()

    # -- lists that grow ----------------------------------------------------------------------------------------
    def _filled_in_order(self) -> dict[int, int]:
        """Lists that are as long as a counter says before the first trip, and written at the counter by every one."""
        library, given = self.c.importer.library, self.c.inputs
        found = {}
        for place, counter in filled_in_order(library.body(self.body), library.body(self.cond)).items():
            item, ref = given[place], given[counter]
            content = ref.content() if isinstance(ref, Ref) else None
            start: Any = None if content is None or content.ndim else content[()]
            if isinstance(item, TensorList) and is_dim(start) and same(item.size, start) is True:
                found[place] = counter
        return found

    def _mark(self, written: dict[int, Any]) -> None:
        for place, how in written.items():
            self.c.inputs[place] = replace(self.c.inputs[place], written=how)

    def _step(self, made: _Made, place: int) -> int | None:
        """By how much every trip moves a loop variable up."""
        places = [p for p in self.moving for _ in self.operands.span(p)]
        return step_of(made.body.graph, places.index(place)) if place in places else None

    def _sized_lists(self, made: _Made) -> dict[int, TensorList]:
        """Empty lists that get an element by every trip, where the number of trips is known: as long as they end."""
        found = {}
        for place in self.filled:
            item, after = self.c.inputs[place], made.body.results[place]
            if made.trips is None or item.written != "end" or not same(item.size, 0):
                continue
            shape = after.array.type.shape[1:]
            if not any(s.name in self.c.importer.changing or s.opaque for d in shape for s in symbols(d)):
                found[place] = filled(self.c, replace(item, size=made.trips, array=None), shape)
        return found

    # -- operands -----------------------------------------------------------------------------------------------
    def _variables(self) -> list[Variable]:
        """Variables that the bodies are given as operands."""
        return list(dict.fromkeys([*self.assigned, *touched(self.c, self.c.inputs)]))

    def _order(self) -> list[int]:
        """Places of operands, flat ones and then variables, as the loop has them: carried ones first."""
        first = len(self.operands.refs)
        carried = [k for place in self.moving for k in self.operands.span(place)]
        carried += range(first, first + len(self.assigned))
        return [*carried, *(k for k in range(first + len(self._variables())) if k not in carried)]

    def _types(self) -> list[TensorType]:
        held = [self.c.importer.state.held(v).type for v in self._variables()]
        return [*(r.type for r in self.operands.refs), *held]

    def _settled(self) -> Body:
        """The body, once it is known which variables it assigns and which sizes a trip changes."""
        c = self.c
        while True:
            mark, refused = c.importer.mark(), len(c.importer.plan.items)
            types, order = self._types(), self._order()
            places = order[: sum(len(self.operands.span(p)) for p in self.moving) + len(self.assigned)]
            body = settle(c.importer, types, places, range(len(places)), self._body)
            new = [v for v in body.assigned if v not in self.assigned]
            if not new:
                return body
            self.assigned += new
            discard(c.importer, body.graph, mark, refused)

    def _body(self, types: list[TensorType]) -> Body:
        c = self.c
        body = import_body(c, self.body, self.operands, types, self._variables(), self._order())
        results = [body.results[p] for p in self.moving]
        match([[c.inputs[p] for p in self.moving], results], "a loop variable before and after a trip")
        body.outputs = [*flat(results), *(body.held(c, v) for v in self.assigned)]
        return body

    def _test(self, types: Sequence[TensorType], order: list[int]) -> Graph:
        c = self.c
        unordered = [types[order.index(k)] for k in range(len(order))]
        test = import_body(c, self.cond, self.operands, unordered, self._variables(), order)
        if test.assigned:
            c.refuse("its condition assigns a variable")
        value = c.importer.tensor(test.results[0], test.frame)
        test.graph.set_outputs([truth(c, test.frame.builder, value)])
        return test.graph

    # -- trips --------------------------------------------------------------------------------------------------
    def _start(self, order: list[int], place: int) -> Dim | None:
        if order[place] >= len(self.operands.refs):
            return None
        content = self.operands.refs[order[place]].content()
        found: Any = None if content is None or content.ndim else content[()]
        return found if is_dim(found) else None

    def _changes_inside(self, trips: Dim) -> bool:
        return any(s.name in self.c.importer.changing for s in symbols(trips))

    def _node(self, made: _Made) -> list[Value | None]:
        """The node's results, None for counters that nobody asks for."""
        c = self.c
        body, test, values, trips = made.body.graph, made.test, made.values, made.trips
        count = len(made.body.outputs)
        gone: list[int] = []
        if trips is not None:
            places = [place for place in self.moving for _ in self.operands.span(place)]
            gone = [k for k, place in enumerate(places) if not c.used(place) and is_only_counter(body, k)]
            test.set_outputs([])
            for node in reversed(list(test)):
                test.remove(node)
            test.set_outputs([Builder(test, origin=c.b.origin).constant(True)])
            _without(body, test, gone)
        carried = [v for k, v in enumerate(values[:count]) if k not in gone]
        found = with_symbols(
            c.importer,
            lambda names: c.b.while_(carried, values[count:], trips=trips, symbols=names, cond=test, body=body),
        )
        left = iter(found)
        return [None if k in gone else next(left) for k in range(count)]

    def _results(self, results: Sequence[Value | None]) -> list[Any]:
        """Loop variables as the node gives them."""
        found: list[Any] = list(self.c.inputs)
        left = iter(results)
        for place in self.moving:
            parts = [next(left) for _ in self.operands.span(place)]
            whole = [p for p in parts if p is not None]
            found[place] = rebuilt([self.c.inputs[place]], whole)[0] if whole or not parts else None
        for place in self.filled:
            found[place] = replace(found[place], written="anywhere")
        return found


def _without(body: Graph, test: Graph, gone: list[int]) -> None:
    """Take carried values that only count out of a loop."""
    after = [body.outputs[k] for k in gone]
    inputs = [(body.inputs[k], test.inputs[k]) for k in gone]
    body.set_outputs([v for k, v in enumerate(body.outputs) if k not in gone])
    for value, (inside, tested) in zip(after, inputs, strict=True):
        if value.producer is not None:
            body.remove(value.producer)
        body.remove_input(inside)
        test.remove_input(tested)
