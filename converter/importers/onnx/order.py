"""Order of nodes: names read and written, execution order, cycles, and which nodes the outputs need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from converter.errors import UsageError

if TYPE_CHECKING:
    import onnx


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs among a node's attributes."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def free_names(graph: onnx.GraphProto) -> list[str]:
    """Outer names that a subgraph reads at any depth, in order of first use."""
    own = (
        {i.name for i in graph.input}
        | {i.name for i in graph.initializer}
        | {s.values.name for s in graph.sparse_initializer}
    )
    own |= {o for n in graph.node for o in n.output}
    read: dict[str, None] = {}
    for node in graph.node:
        read.update(dict.fromkeys(reads(node)))
    read.update(dict.fromkeys(o.name for o in graph.output))
    return [name for name in read if name and name not in own]


def reads(node: onnx.NodeProto) -> list[str]:
    """Names that a node reads, those captured by its subgraphs included."""
    names = [n for n in node.input if n]
    for graph in subgraphs(node):
        names += free_names(graph)
    return names


def node_label(node: onnx.NodeProto) -> str:
    """A node in words: its op and its name, or its first output."""
    name = node.name or next((o for o in node.output if o), "")
    return f"{node.op_type} {name!r}"


def live_nodes(nodes: Iterable[Any], outputs: Iterable[str], defined: Iterable[str], where: str) -> list[Any]:
    """The nodes that `outputs` need, each after what it reads, otherwise in the file's order.

    `defined` are names from elsewhere (inputs, initialisers, outer graphs). Raises UsageError on a name defined twice,
    never defined, or defined in a cycle.
    """
    listed = list(nodes)
    known = set(defined)
    maker: dict[str, int] = {}
    for i, node in enumerate(listed):
        for name in node.output:
            if name and (name in maker or name in known):
                raise UsageError(f"{where}: the name {name!r} is defined twice, the second time by {node_label(node)}")
            if name:
                maker[name] = i
    return _Sorter(listed, maker, known, where).run(list(outputs))


class _Sorter:
    """Depth-first order from the outputs, without recursion (graphs are deep)."""

    def __init__(self, nodes: list[Any], maker: dict[str, int], known: set[str], where: str) -> None:
        self.nodes, self.maker, self.known, self.where = nodes, maker, known, where
        self.needs: dict[int, list[int]] = {}

    def run(self, outputs: list[str]) -> list[Any]:
        needed = self._needed(outputs)
        in_order = sorted(needed)
        if all(d < i for i in in_order for d in self.needs[i]):
            return [self.nodes[i] for i in in_order]
        return [self.nodes[i] for i in self._sorted(in_order)]

    def _source(self, name: str, reader: str) -> int | None:
        if name in self.maker:
            return self.maker[name]
        if name not in self.known:
            raise UsageError(f"{self.where}: {reader} reads {name!r}, which nothing defines")
        return None

    def _needed(self, outputs: list[str]) -> set[int]:
        found: set[int] = set()
        stack = [i for name in outputs if (i := self._source(name, "an output")) is not None]
        while stack:
            i = stack.pop()
            if i in found:
                continue
            found.add(i)
            node = self.nodes[i]
            label = node_label(node)
            self.needs[i] = [d for name in reads(node) if (d := self._source(name, label)) is not None]
            stack += self.needs[i]
        return found

    def _sorted(self, indices: list[int]) -> list[int]:
        done: dict[int, None] = {}
        for root in indices:
            stack: list[tuple[int, Iterator[int]]] = [(root, iter(self.needs[root]))] if root not in done else []
            trail = dict.fromkeys(i for i, _ in stack)
            while stack:
                i, pending = stack[-1]
                nxt = next((d for d in pending if d not in done), None)
                if nxt is None:
                    done[i] = None
                    stack.pop()
                    del trail[i]
                elif nxt in trail:
                    path = list(trail)
                    self._cycle([*path[path.index(nxt) :], nxt])
                else:
                    stack.append((nxt, iter(self.needs[nxt])))
                    trail[nxt] = None
        return list(done)

    def _cycle(self, indices: list[int]) -> None:
        names = [node_label(self.nodes[i]) for i in reversed(indices)]
        shown = [*names[:4], "...", names[-1]] if len(names) > 6 else names
        raise UsageError(f"{self.where}: the graph has a cycle: {' -> '.join(shown)}")
