"""When a value is read for the last time."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ir.core.graph import Graph, Node, Value
from ir.core.walk import graphs


def last_reads(graph: Graph, kept: Collection[Value] = ()) -> dict[Node, tuple[Value, ...]]:
    """For each node the values that nothing reads after it: operands, weights of its bodies, its own unread outputs.

    Graph outputs and `kept` are never among them, nor the graph's inputs that no node reads. Weights are left out of
    bodies, which may run again: there the node that owns the outermost body is their reader.
    """
    last: dict[Value, Node] = {}
    for node in graph:
        for value in (*node.outputs, *node.inputs, *_weights_inside(node)):
            last[value] = node
    spared = {*graph.outputs, *kept}
    inner = graph.parent is not None
    plan: dict[Node, list[Value]] = {}
    for value, node in last.items():
        if value not in spared and not (inner and value.is_weight):
            plan.setdefault(node, []).append(value)
    return {node: tuple(values) for node, values in plan.items()}


def _weights_inside(node: Node) -> Iterator[Value]:
    for body in node.bodies.values():
        for graph in graphs(body):
            yield from (v for inner in graph for v in inner.inputs if v.is_weight)
            yield from (v for v in graph.outputs if v.is_weight)
