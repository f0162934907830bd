"""Where the merged graph chooses: the values that differ between the modes, and where each is computed.

The paired nodes cut both graphs into gaps: gap k lies before pair k, the last one behind all. A node without a partner
belongs to the gap it stands in, or to a later one that alone reads it. All of a gap that hangs together becomes one
`by_mode` node at the gap.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ir.core.graph import Node, Value

Token = Callable[[Value], Hashable]


@dataclass(eq=False)
class Choice:
    """A value that is one thing in inference and another in training, and who reads it."""

    inference: Value
    training: Value
    put: list[Callable[[Value], None]] = field(default_factory=list)
    origin: Any = None
    gap: int = 0


@dataclass(eq=False)
class Group:
    """What one `by_mode` node holds: nodes of either side in order, choices it gives, and values of the training side
    that later groups read."""

    gap: int
    train: list[Node] = field(default_factory=list)
    infer: list[Node] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    handed_on: list[Value] = field(default_factory=list)

    def join(self, other: Group, train: list[Node], infer: list[Node]) -> None:
        """Take in another group of the same gap; `train` and `infer` tell the order of nodes."""
        own, theirs = {*self.train, *other.train}, {*self.infer, *other.infer}
        self.train, self.infer = [n for n in train if n in own], [n for n in infer if n in theirs]
        self.choices += other.choices
        self.handed_on += other.handed_on


@dataclass(eq=False)
class Side:
    """The unpaired nodes of one graph, in order, and the gap of each; `available` is the gap from which on the value of
    a paired node may be read."""

    nodes: list[Node]
    gap: dict[Node, int]
    available: dict[Node, int]

    def ready(self, value: Value) -> int:
        """The first gap in which the value can be read."""
        node = value.producer
        return 0 if node is None or value.is_weight else self.gap.get(node, self.available.get(node, 0))

    def at(self, value: Value, otherwise: int) -> int:
        """The gap of the unpaired node that makes a value."""
        return otherwise if value.producer is None else self.gap.get(value.producer, otherwise)

    def sink(self, wanted: dict[Value, set[int]]) -> None:
        """Move nodes that one later gap alone reads into it. `wanted`: the gaps of the choices that read a value."""
        for node in reversed(self.nodes):
            gaps = {g for v in node.outputs for g in wanted.get(v, ())}
            gaps |= {self.gap[u] for v in node.outputs for u in v.users if u in self.gap}
            if len(gaps) == 1:
                self.gap[node] = gaps.pop()

    def crossing(self) -> list[Value]:
        """Values that unpaired nodes of other gaps read."""
        found: dict[Value, None] = {}
        for node in self.nodes:
            for value in node.outputs:
                if any(self.gap[u] != self.gap[node] for u in value.users if u in self.gap):
                    found[value] = None
        return list(found)


def stay(side: Side, choices: Iterable[Choice]) -> None:
    """Nodes of the inference side that several gaps read remain in the graph, with what they read: they are forgotten
    as unpaired."""
    crossing = {v.producer for v in side.crossing()}
    crossing |= {c.inference.producer for c in choices if side.at(c.inference, c.gap) != c.gap}
    for node in reversed(list(side.nodes)):
        if node in crossing:
            crossing |= {v.producer for v in node.inputs if v.producer in side.gap}
            side.available[node] = side.gap.pop(node)
            side.nodes.remove(node)


def groups(train: Side, infer: Side, choices: list[Choice]) -> list[Group]:
    """Connected nodes and choices of each gap, in the order of the training graph."""
    parent: dict[Any, Any] = {}

    def find(x: Any) -> Any:
        while parent.setdefault(x, x) is not x:
            x = parent[x]
        return x

    for side in (train, infer):
        for node in side.nodes:
            find(node)
            for value in node.inputs:
                if value.producer in side.gap and side.gap[value.producer] == side.gap[node]:
                    parent[find(node)] = find(value.producer)
    for choice in choices:
        for side, value in ((train, choice.training), (infer, choice.inference)):
            if side.at(value, -1) == choice.gap:
                parent[find(choice)] = find(value.producer)
    found: dict[Any, Group] = {}
    crossing = {*train.crossing(), *(c.training for c in choices if train.at(c.training, c.gap) != c.gap)}
    for node in train.nodes:
        group = found.setdefault(find(node), Group(train.gap[node]))
        group.train.append(node)
        group.handed_on += [v for v in node.outputs if v in crossing]
    for node in infer.nodes:
        found.setdefault(find(node), Group(infer.gap[node])).infer.append(node)
    for choice in choices:
        found.setdefault(find(choice), Group(choice.gap)).choices.append(choice)
    return [g for g in found.values() if g.choices or g.handed_on]
