"""Which node binds which opaque size symbol, and where symbols are read.

An opaque symbol is bound by the first node, in execution order, that names it: in the type of an output (`nonzero`) or
in an attribute `symbol` or `symbols` (`bind_dim`, `while`). Other symbols are bound by the shapes of the model's inputs and weights.
A body sees the symbols bound outside it; those bound inside end with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ir.core.graph import Graph, Node, Value
from ir.core.walk import attr_symbols
from ir.types import TensorType, symbols


def type_symbols(types: Iterable[TensorType]) -> frozenset[str]:
    """Names of all size symbols in the types."""
    return frozenset(s.name for t in types for d in t.shape for s in symbols(d))


def value_symbols(values: Iterable[Value]) -> frozenset[str]:
    """Names of all size symbols in the types of the values."""
    return type_symbols(v.type for v in values)


def declared_symbols(node: Node) -> frozenset[str]:
    """Symbols that the node names in an attribute `symbol` or `symbols`, as binders do."""
    name, several = node.attrs.get("symbol"), node.attrs.get("symbols", ())
    one = (name,) if isinstance(name, str) and name else ()
    return frozenset((*one, *(several if isinstance(several, tuple) else ())))


def bindable_symbols(node: Node) -> frozenset[str]:
    """Symbols that the node binds unless something before it did: those of its output types and its `symbol`."""
    return declared_symbols(node) | value_symbols(node.outputs)


def read_symbols(node: Node) -> frozenset[str]:
    """Symbols whose value the node needs: those of its attributes (bodies not included)."""
    return attr_symbols(node)


def binders(graph: Graph) -> dict[Node, frozenset[str]]:
    """Every node of the graph and its bodies that binds symbols, with their names."""
    return dict(_binders(graph, value_symbols(graph.inputs)))


def _binders(graph: Graph, bound: frozenset[str]) -> Iterator[tuple[Node, frozenset[str]]]:
    known = set(bound)
    for node in graph:
        for body in node.bodies.values():
            yield from _binders(body, frozenset(known) | value_symbols(body.inputs))
        fresh = bindable_symbols(node) - known
        if fresh:
            yield node, fresh
            known |= fresh
