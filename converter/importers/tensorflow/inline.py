"""A graph whose calls of functions are replaced by the functions' nodes, so that every tensor has a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from converter.errors import UsageError
from converter.importers.tensorflow.effects import CALLS
from converter.importers.tensorflow.filegraph import needed
from converter.importers.tensorflow.wiring import Body, Library

LIMIT = 2_000_000
"""Nodes at most: nested functions can grow a small file without end."""
DEEPEST = 100


def inlined(graph: Any) -> Any:
    """A GraphDef of the same tensors: where a call was stands an `IdentityN` of what the function gives.

    A node of a function keeps its name where no other has it, else that of the call stands before it. Functions of branches
    and loops stay functions. Raises UsageError for a graph that grows without end.
    """
    return _Inliner(graph).run()


def holding(graph: Any, names: Iterable[str], outputs: Iterable[str], feeds: Iterable[str], label: str) -> Any:
    """The graph where it has nodes of these names, else what `outputs` need of it, its functions inlined."""
    if set(names) <= {n.name for n in graph.node}:
        return graph
    return inlined(needed(graph, outputs, feeds, label))


class _Inliner:
    def __init__(self, graph: Any) -> None:
        self.given = graph
        self.library = Library(graph.library)
        self.taken = {n.name for n in graph.node}
        self.found = type(graph)(versions=graph.versions, library=graph.library)

    def run(self) -> Any:
        for node in self.given.node:
            plain = [i for i in node.input if not i.startswith("^")]
            self._put(node, node.name, plain, [i for i in node.input if i.startswith("^")], 0)
        return self.found

    def _put(self, node: Any, name: str, inputs: Sequence[str], controls: Sequence[str], depth: int) -> None:
        """Add a node under a name; of a call, the nodes of its function and what they give."""
        called = self._called(node)
        if called is not None:
            if depth >= DEEPEST:
                raise UsageError(f"functions are nested more than {DEEPEST} deep")
            self._call(called, name, inputs, controls, depth)
            return
        if len(self.found.node) >= LIMIT:
            raise UsageError(f"the graph grows beyond {LIMIT} nodes once its functions are inlined")
        twin = self.found.node.add()
        twin.CopyFrom(node)
        twin.name = name
        twin.input[:] = [*inputs, *controls]

    def _called(self, node: Any) -> Body | None:
        name = node.attr["f"].func.name if node.op in CALLS and CALLS[node.op] == ("f",) else node.op
        return self.library.body(name) if name in self.library.functions else None

    def _call(self, body: Body, name: str, inputs: Sequence[str], controls: Sequence[str], depth: int) -> None:
        if len(inputs) != len(body.arguments):
            raise UsageError(f"{body.name} takes {len(body.arguments)} arguments, {len(inputs)} are given")
        given = dict(zip(body.arguments, inputs, strict=True))
        own = {inner: self._free(inner, name) for inner in body.nodes}

        def text(key: tuple[str, int]) -> str:
            return given[key[0]] if key[0] in given else f"{own[key[0]]}:{key[1]}"

        for inner, wired in body.nodes.items():
            before = [f"^{own[c]}" for c in wired.controls if c in own]
            self._put(wired.node, own[inner], [text(k) for k in wired.inputs], [*before, *controls], depth + 1)
        end = self.found.node.add(name=name, op="IdentityN" if body.outputs else "NoOp")
        end.input[:] = [*(text(k) for k in body.outputs), *(f"^{own[e]}" for e in body.effects), *controls]
        if body.outputs:
            kinds = self.library.functions[body.name.split("'")[1]].signature.output_arg
            end.attr["T"].list.type.extend(a.type for a in kinds)

    def _free(self, inner: str, call: str) -> str:
        name = inner if inner not in self.taken else f"{call}/{inner}"
        count = 0
        while name in self.taken:
            count += 1
            name = f"{call}/{inner}_{count}"
        self.taken.add(name)
        return name
