"""Merges nodes that compute the same value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ir.core.equal import attr_key, graph_key, type_key
from ir.core.graph import Graph, Node
from ir.core.model import Model
from ir.core.walk import graphs, walk
from ir.passes.base import Pass, Rewriter


@dataclass(frozen=True)
class CommonSubexpressions(Pass):
    """Merges a node with an earlier one of the same op, operands, attributes, bodies and types.

    Random ops are never merged: each is a draw of its own. Nodes merge only inside one call of one module, so that no
    module comes to depend on the inside of another; bodies are closed and merge within themselves.
    """

    name: ClassVar[str] = "cse"
    after: ClassVar[tuple[str, ...]] = ("fold", "simplify")

    def run(self, model: Model) -> bool:
        rewriter = Rewriter(model, self.name)
        for graph in graphs(model.graph):
            _merge(graph, rewriter)
        return rewriter.changed


def is_random(node: Node) -> bool:
    """Whether the node, or any node of its bodies, draws random numbers."""
    return node.op.random or any(n.op.random for body in node.bodies.values() for n in walk(body))


def _merge(graph: Graph, rewriter: Rewriter) -> None:
    seen: dict[Any, Node] = {}
    for node in graph:
        if is_random(node):
            continue
        key = (node.origin.path, _key(node))
        first = seen.setdefault(key, node)
        if first is not node:
            rewriter.replace(node, first.outputs, "merge", f"{first!r} computes the same")


def _key(node: Node) -> Any:
    operands = tuple(node.operands.get(s.name) for s in node.op.operands)  # by identity
    attrs = tuple(attr_key(node.attrs[a.name]) for a in node.op.attributes)
    bodies = tuple(graph_key(node.bodies[name]) for name in node.op.bodies)
    return (node.op.name, operands, attrs, bodies, tuple(type_key(v.type) for v in node.outputs))


