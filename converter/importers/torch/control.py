"""`torch.cond`, `while_loop`, `scan` and `map`: sub-graphs become closed bodies; weights are read in them directly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from converter.importers.base import Refusal
from converter.importers.torch.context import TorchContext
from ir.core import Builder, Graph, Value
from ir.types import TensorType, dtypes

ReadNodes = Callable[[Any], list[Any]]
"""Converts the nodes of an fx graph in order and gives what it returns."""


def convert(c: TorchContext, node: Any, read: ReadNodes) -> Sequence[Value]:
    """The results of a higher-order op; raises Refusal for those other than the four."""
    name = str(node.target)
    if name == "cond":
        return _cond(c, node, read)
    if name == "while_loop":
        return _while(c, node, read)
    if name == "scan":
        return _scan(c, node, read)
    if name == "map_impl":
        return _map(c, node, read)
    raise Refusal("no rule for this higher-order op", op=f"torch.ops.higher_order.{name}")


def _cond(c: TorchContext, node: Any, read: ReadNodes) -> Sequence[Value]:
    predicate, then, otherwise, operands = node.args
    values = _operands(c, operands)
    bodies, written = [], {}
    for graph, name in ((then, "then"), (otherwise, "else")):
        body, state = _body(c, node, graph, values, name, read)
        bodies.append((body, state))
        written.update(state)
    for body, state in bodies:  # a buffer that one branch writes keeps its value in the other
        body.set_outputs([*body.outputs, *(state.get(n, c.model.weight_value(n)) for n in written)])
    if not isinstance(c.env.get(predicate), Value):
        raise Refusal("a predicate that depends on sizes only")
    test = c.cast(c.value(predicate), dtypes.bool_)
    if test.type.rank:
        test = c.b.reshape(test, shape=())
    captures = [v for v in values if not v.is_weight]
    results = list(c.b.cond(test, captures, then=bodies[0][0], else_=bodies[1][0]))
    count = len(results) - len(written)
    c.state.update(zip(written, results[count:], strict=True))
    return results[:count]


def _while(c: TorchContext, node: Any, read: ReadNodes) -> Sequence[Value]:
    test, step, carried, extra = node.args
    first, rest = _operands(c, carried), _operands(c, extra)
    values = [*first, *rest]
    bodies = []
    for graph, name in ((test, "cond"), (step, "body")):
        body, state = _body(c, node, graph, values, name, read, kept=len(first))
        bodies.append(body)
        if state:
            raise Refusal(
                f"a loop that writes into the buffer {next(iter(state))}", "carry it as a variable of the loop"
            )
    invariant = [v for v in rest if not v.is_weight]
    return list(getattr(c.b, "while")(first, invariant, cond=bodies[0], body=bodies[1]))


def _scan(c: TorchContext, node: Any, read: ReadNodes) -> Sequence[Value]:
    """Torch has turned its axis to the front and its direction forwards by then."""
    step, carried, scanned, extra = node.args
    return _over_slices(c, node, step, (carried, scanned, extra), read)


def _map(c: TorchContext, node: Any, read: ReadNodes) -> Sequence[Value]:
    step, scanned, extra = node.args
    return _over_slices(c, node, step, ([], scanned, extra), read)


def _over_slices(
    c: TorchContext, node: Any, step: Any, operands: tuple[Any, Any, Any], read: ReadNodes
) -> Sequence[Value]:
    """Carried values, what is read slice by slice along axis 0, and what every step reads."""
    first, slices, rest = (_operands(c, items) for items in operands)
    kinds = [v.type for v in first] + [v.type.with_shape(v.type.shape[1:]) for v in slices]
    values = [*first, *slices, *rest]
    body, state = _body(c, node, step, values, "body", read, kept=len(kinds), kinds=kinds)
    if state:
        raise Refusal(f"a loop that writes into the buffer {next(iter(state))}", "carry it as a variable of the loop")
    invariant = [v for v in rest if not v.is_weight]
    return list(c.b.scan(first, slices, invariant, body=body))


def _operands(c: TorchContext, items: Sequence[Any]) -> list[Value]:
    if not all(isinstance(c.env.get(i) if hasattr(i, "meta") else None, Value) for i in items):
        raise Refusal("control flow that carries Python numbers or sizes", "make them tensors")
    return [c.value(i) for i in items]


def _body(
    c: TorchContext, node: Any, attribute: Any, values: Sequence[Value], name: str, read: ReadNodes, kept: int = 0,
    kinds: Sequence[TensorType] = (),
) -> tuple[Graph, dict[str, Value]]:  # fmt: skip
    """A sub-graph as a body: an input for each operand, except weights behind the first `kept`; and the next values of
    the buffers that it writes. `kinds` are the types of the first inputs where they are not the operands' own."""
    graph = getattr(node.graph.owning_module, attribute.target).graph
    places = [n for n in graph.nodes if n.op == "placeholder"]
    body = Graph(name)
    outer_env, outer_b, outer_state, origin = c.env, c.b, c.state, c.b.origin
    c.env, c.b, c.state = {}, Builder(body, origin=origin), {}
    try:
        for i, (place, value) in enumerate(zip(places, values, strict=True)):
            passed = i < kept or not value.is_weight
            kind = kinds[i] if i < len(kinds) else value.type
            c.env[place] = body.add_input(kind, place.name) if passed else value
        results = read(graph)
        if any(r is None or not isinstance(c.env.get(r), Value) for r in results):
            raise Refusal("a branch that returns something other than tensors")
        body.set_outputs([c.value(r) for r in results])
    finally:
        state = c.state
        c.env, c.b, c.state = outer_env, outer_b, outer_state
    if both := state.keys() & outer_state.keys():
        raise Refusal(f"the buffer {min(both)} is written before control flow and inside it")
    return body, state
