"""Walking graphs and their bodies, and copying them (models: `ir.core.model`)."""

from __future__ import annotations

from collections.abc import Iterator

from ir.core.graph import Graph, Node, Value
from ir.types.dim import DimExpr, symbols


def walk(graph: Graph) -> Iterator[Node]:
    """Every node of the graph and of all bodies, in order, a node before its bodies' nodes."""
    for node in graph:
        yield node
        for body in node.bodies.values():
            yield from walk(body)


def graphs(graph: Graph) -> Iterator[Graph]:
    """The graph itself, then every body at any depth."""
    yield graph
    for node in graph:
        for body in node.bodies.values():
            yield from graphs(body)


def attr_symbols(node: Node) -> frozenset[str]:
    """Names of the size symbols that the node's attributes read."""
    found: set[str] = set()

    def visit(item: object) -> None:
        if isinstance(item, DimExpr):
            found.update(s.name for s in symbols(item))
        elif isinstance(item, tuple):
            for x in item:
                visit(x)

    for value in node.attrs.values():
        visit(value)
    return frozenset(found)


def copy_graph(source: Graph, target: Graph, mapping: dict[Value, Value]) -> None:
    """Append copies of all nodes of `source` to `target` and set its outputs. `mapping` maps values already present
    (inputs; weights when the model changes) and is filled with the rest; unmapped weights stay shared."""
    for node in source:
        target.append(copy_node(node, mapping))
    target.set_outputs([mapping.get(v, v) for v in source.outputs])


def copy_node(node: Node, mapping: dict[Value, Value]) -> Node:
    """An unattached copy of a node (bodies deep), operands mapped; `mapping` gains its outputs."""
    operands = {
        k: tuple(mapping.get(x, x) for x in v) if isinstance(v, tuple) else mapping.get(v, v) if v is not None else None
        for k, v in node.operands.items()
    }
    bodies = {}
    for name, body in node.bodies.items():
        twin = Graph(body.name)
        for value in body.inputs:
            mapping[value] = twin.add_input(value.type, value.name)
        copy_graph(body, twin, mapping)
        bodies[name] = twin
    copy = Node(node.op, operands, node.attrs, [v.type for v in node.outputs], bodies, node.origin)
    for old, new in zip(node.outputs, copy.outputs, strict=True):
        new.name = old.name
        mapping[old] = new
    return copy
