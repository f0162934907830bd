"""Bodies of loops and branches: traced code becomes a graph of its own; what it reads of its surroundings, operands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from converter.importers.keras.context import KerasContext
from ir.core import Graph, Value
from ir.core.walk import copy_node
from ir.types import TensorType


def trace(
    c: KerasContext, name: str, inputs: Sequence[tuple[str, TensorType]], code: Callable[..., Sequence[Value]]
) -> Graph:
    """The graph of `code`, which is called on the values of its inputs. `close` it before a node takes it."""
    graph = Graph(name)
    values = [graph.add_input(t, n) for n, t in inputs]
    with c.within(graph):
        graph.set_outputs(list(code(*values)))
    return graph


def close(graphs: Sequence[Graph]) -> list[Value]:
    """What the graphs read of their surroundings becomes inputs of each, in one order; returns those values.

    Constants are copied in. Weights are readable everywhere and stay.
    """
    read = dict.fromkeys(v for g in graphs for v in _free(g))
    captured = [v for v in read if not _is_constant(v)]
    for graph in graphs:
        own = set(_free(graph))
        mapping: dict[Value, Value] = {v: graph.add_input(v.type, v.name or "captured") for v in captured}
        for value in own:
            if _is_constant(value):
                _copy_in(graph, value, mapping)
        for node in graph:
            for key, operand in list(node.operands.items()):
                if isinstance(operand, tuple):
                    node.set_operand(key, tuple(mapping.get(v, v) for v in operand))
                elif operand is not None:
                    node.set_operand(key, mapping.get(operand, operand))
        graph.set_outputs([mapping.get(v, v) for v in graph.outputs])
    return captured


def _free(graph: Graph) -> list[Value]:
    """Values that a graph reads and does not make. Bodies inside it are closed: what they read are operands."""
    own = {*graph.inputs, *(v for n in graph for v in n.outputs)}
    read: list[Any] = [v for n in graph for v in n.inputs]
    return [v for v in dict.fromkeys((*read, *graph.outputs)) if v not in own and not v.is_weight]


def _is_constant(value: Value) -> bool:
    return value.producer is not None and value.producer.op.name == "constant"


def _copy_in(graph: Graph, value: Value, mapping: dict[Value, Value]) -> None:
    assert value.producer is not None  # the caller has checked
    node = copy_node(value.producer, mapping)
    first = next(iter(graph), None)
    if first is None:
        graph.append(node)
    else:
        graph.insert_before(first, node)
