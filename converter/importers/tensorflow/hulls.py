"""Modules of a graph whose nodes have no scopes: a saved `tf.Module` names its variables, not where they are used.

A module is what lies between the readers of its variables: every node on a way from one of them to another. Where that part
reads variables of other modules, too, it is no call of the module, and the module's own parts are looked at alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from ir.core import Model, Node, Path, Scope, Value
from ir.core.walk import graphs

Names = tuple[str, ...]


def settle_modules(model: Model) -> None:
    """Give each node the innermost module in whose part of the graph it lies. A graph that tells of modules stays as it is."""
    nodes = _live(model)
    if any(node.origin.path for node in nodes):
        return
    named = {name for name, weight in model.weights.items() if weight.kind != "constant"}
    parts = _Parts(nodes, named)
    for module in sorted(parts.modules(), key=len):
        for node in parts.part(module):
            node.origin = replace(node.origin, path=tuple(map(Scope, module)))


def _live(model: Model) -> list[Node]:
    """The nodes of the main graph, in order, on which a result or a state depends."""
    found: set[Node] = set()
    for node in reversed(list(model.graph)):
        users = [use.user for value in node.outputs for use in value.uses]
        if any(user in found or not isinstance(user, Node) or user.graph is not node.graph for user in users):
            found.add(node)
    return [node for node in model.graph if node in found]


def settle_names(model: Model, loose: Collection[str]) -> None:
    """Name variables that no attribute tells by the layer that reads them, as Keras does (`Variable.path`), without what
    TensorFlow counted: `block.kernel_3` that is read in `block.conv2d_1` becomes `block.conv2d_1.kernel`."""
    wanted: dict[str, tuple[str, str]] = {}
    for name in loose:
        *module, base = name.split(".")
        users = {use.user for use in model.weight_value(name).uses} if name in model.weights else set()
        paths = {_names_of(user) for user in users if isinstance(user, Node) and user.graph is model.graph}
        if len(paths) == 1 and all(isinstance(user, Node) and user.graph is model.graph for user in users):
            path = paths.pop()
            inside = path if path[: len(module)] == tuple(module) else tuple(module)
            wanted[name] = ".".join((*inside, base)), ".".join((*inside, re.sub(r"(_\d+)+$", "", base)))
    plain = Counter(short for _, short in wanted.values())
    for name, (whole, short) in wanted.items():
        new = short if plain[short] == 1 else whole
        if new not in model.weights:
            model.rename_weight(name, new)


def _names_of(node: Node) -> Names:
    return tuple(s.name for s in node.origin.path)


_APPLIED = ("activation", "elementwise", "arithmetic", "cast")
"""Families of ops that layers of Keras apply to what they give."""


def settle_activations(model: Model) -> None:
    """Give what a layer without a class of its own applies to its results to the module around it.

    A scope of a file tells that a layer ends with an activation, and not what class it is: without the activation it can be
    a layer that every framework has.
    """
    named = {n for n, w in model.weights.items() if w.kind != "constant"}
    holders = {tuple(n.split(".")[:-1]) for n in named}
    inner = {h[:n] for h in holders for n in range(1, len(h))}
    groups: dict[Path, list[Node]] = {}
    for node in _live(model):
        path = node.origin.path
        names = _names_of(node)
        if path and not path[-1].cls and names in holders and names not in inner:
            groups.setdefault(path, []).append(node)
    for path, nodes in groups.items():
        for node in _applied(nodes, named):
            node.origin = replace(node.origin, path=path[:-1])


def _applied(nodes: list[Node], named: set[str]) -> list[Node]:
    """What of a module's nodes comes behind all that reads a `named` weight; none where it is more than an activation."""
    own = set(nodes)
    before: set[Node] = set()
    for node in reversed(nodes):
        if node in before or any(v.name in named for v in _variables(node)):
            before.add(node)
            before.update(p for p in _makers(node) if p in own)
    rest = [n for n in nodes if n not in before]
    fine = before and all(n.op.name == "constant" or n.op.family in _APPLIED for n in rest)
    return rest if fine else []


class _Parts:
    """The nodes in order, and which modules each reads variables of, those that are `named`."""

    def __init__(self, nodes: list[Node], named: set[str]) -> None:
        self.nodes = nodes
        self.place = {node: i for i, node in enumerate(nodes)}
        self.owners = [{tuple(v.name.split(".")[:-1]) for v in _variables(node) if v.name in named} for node in nodes]
        self.readers: dict[Names, list[int]] = {}
        for i, owners in enumerate(self.owners):
            for module in dict.fromkeys(o[:n] for o in owners for n in range(1, len(o) + 1)):
                self.readers.setdefault(module, []).append(i)

    def modules(self) -> Iterable[Names]:
        """All modules with variables, and those that hold such."""
        return self.readers

    def part(self, module: Names) -> list[Node]:
        """The nodes of a module; none where they are not its own."""
        found = self._between(self.readers[module])
        if any(owner[: len(module)] != module for i in found for owner in self.owners[i]):
            return []
        nodes = {self.nodes[i] for i in found}
        while (last := self._joins(nodes)) is not None:
            nodes.add(last)
        return sorted(nodes, key=self.place.__getitem__)

    def _between(self, readers: list[int]) -> list[int]:
        """Places of the readers, and of what lies on a way from one to another."""
        span = range(readers[0], readers[-1] + 1)
        behind, before = set(readers), set(readers)
        for i in span:
            if any(self.place.get(p) in behind for p in _makers(self.nodes[i])):
                behind.add(i)
        for i in reversed(span):
            if i in before:
                before.update(j for p in _makers(self.nodes[i]) if (j := self.place.get(p)) is not None)
        return sorted(behind & before)

    def _joins(self, nodes: set[Node]) -> Node | None:
        """A node that makes one result of several that nothing else reads: the sum with a shortcut that ends a block."""
        for node in nodes:
            for value in node.outputs:
                for user in (use.user for use in value.uses):
                    if isinstance(user, Node) and user not in nodes and self._makes_one(user, nodes):
                        return user
        return None

    def _makes_one(self, user: Node, nodes: set[Node]) -> bool:
        if user not in self.place or self.owners[self.place[user]] or len(user.outputs) != 1:
            return False
        taken = [v for v in dict.fromkeys(user.inputs) if v.producer is None or v.producer.op.name != "constant"]
        return len(taken) > 1 and all(v.producer in nodes and not self._leaves(v, {*nodes, user}) for v in taken)

    def _leaves(self, value: Value, nodes: set[Node]) -> bool:
        """Whether anything that counts reads a value beside these nodes."""
        users = [use.user for use in value.uses if use.user not in nodes]
        return any(not isinstance(user, Node) or user in self.place for user in users)


def _makers(node: Node) -> Iterator[Node]:
    return (v.producer for v in node.inputs if v.producer is not None)


def _variables(node: Node) -> Iterator[Value]:
    """Variables that a node reads, in its bodies, too."""
    values = [*node.inputs]
    for body in (g for b in node.bodies.values() for g in graphs(b)):
        values += [v for inner in body for v in inner.inputs]
        values += body.outputs
    return (v for v in values if v.is_weight)


__all__ = ["settle_activations", "settle_modules", "settle_names"]
