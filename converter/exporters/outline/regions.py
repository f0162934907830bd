"""Regions: which nodes make up one call of which module, as a tree over the flat graph.

A region becomes one call expression, so contracting it must not make a cycle: where it would, the region is dissolved
into its parent (its nodes then speak of the module's parts from outside, `self.block.conv(x)`), which is always right.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field

from ir.core import Graph, Model, Node, Origin, Value
from ir.core.walk import graphs

CONTAINERS = {"ModuleList", "ModuleDict", "ParameterList", "ParameterDict"}


@dataclass(frozen=True, slots=True)
class Step:
    """One module call on the way down: dotted name relative to the caller, class, and which call it is."""

    name: str
    cls: str
    call: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.name.split("."))


Steps = tuple[Step, ...]


@dataclass(eq=False)
class Region:
    """One call of a module: its items in execution order, the values it takes and those it gives."""

    steps: Steps
    items: list[Node | Region] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)

    @property
    def path(self) -> tuple[str, ...]:
        """Path of the module instance."""
        return tuple(name for step in self.steps for name in step.names)

    @property
    def cls(self) -> str:
        return self.steps[-1].cls if self.steps else ""

    def nodes(self) -> Iterator[Node]:
        """All nodes, those of inner regions included."""
        for item in self.items:
            if isinstance(item, Node):
                yield item
            else:
                yield from item.nodes()

    def regions(self) -> Iterator[Region]:
        """This region and all inner ones, inner ones first."""
        for item in self.items:
            if isinstance(item, Region):
                yield from item.regions()
        yield self


def is_inline(node: Node) -> bool:
    """Constants belong to nobody: each reader writes its own."""
    return node.op.name == "constant"


def steps_of(model: Model) -> dict[Node, Steps]:
    """The module calls each node of the main graph lies in, outermost first; containers are merged into names."""
    nodes = [n for n in model.graph if not is_inline(n)]
    direct = {n.origin.path for n in nodes}
    merged: dict[tuple, Steps] = {}
    return {n: _merge(n.origin, direct, merged) for n in nodes}


def _merge(origin: Origin, direct: set[tuple], memo: dict[tuple, Steps]) -> Steps:
    path = origin.path
    if path not in memo:
        steps: list[Step] = []
        prefix = ""
        for i, scope in enumerate(path):
            name = f"{prefix}{scope.name}"
            if scope.cls in CONTAINERS or (not scope.cls and path[: i + 1] not in direct):
                prefix = f"{name}."
            else:
                steps.append(Step(name, scope.cls, scope.call))
                prefix = ""
        memo[path] = tuple(steps)
    return memo[path]


def build_regions(model: Model, steps: dict[Node, Steps]) -> Region:
    """The region tree of the main graph. `steps` is edited where a region had to be dissolved."""
    order = {n: i for i, n in enumerate(model.graph)}
    return _build((), [n for n in model.graph if n in steps], steps, order)


def _build(at: Steps, nodes: list[Node], steps: dict[Node, Steps], order: dict[Node, int]) -> Region:
    while True:
        groups = _group(at, nodes, steps)
        items = _schedule(groups, order)
        if items is not None:
            break
        dissolve(_culprit(groups, order), len(at), steps)
    region = Region(at)
    for key in items:
        region.items.append(key if isinstance(key, Node) else _build((*at, key), groups[key], steps, order))
    return region


Key = Node | Step


def _group(at: Steps, nodes: list[Node], steps: dict[Node, Steps]) -> dict[Key, list[Node]]:
    depth = len(at)
    groups: dict[Key, list[Node]] = {}
    for node in nodes:
        own = steps[node]
        groups.setdefault(own[depth] if len(own) > depth else node, []).append(node)
    return groups


def dissolve(nodes: Iterable[Node], depth: int, steps: dict[Node, Steps]) -> None:
    """Take nodes out of the call at `depth`: deeper calls get a longer name, the rest belongs to the caller."""
    for node in nodes:
        own = steps[node]
        if len(own) > depth + 1:
            merged = Step(f"{own[depth].name}.{own[depth + 1].name}", own[depth + 1].cls, own[depth + 1].call)
            steps[node] = (*own[:depth], merged, *own[depth + 2 :])
        else:
            steps[node] = own[:depth]


def _edges(groups: dict[Key, list[Node]]) -> dict[Key, set[Key]]:
    """Group -> groups that read from it."""
    owner = {n: key for key, nodes in groups.items() for n in nodes}
    edges: dict[Key, set[Key]] = {key: set() for key in groups}
    for node, key in owner.items():
        for value in node.inputs:
            source = owner.get(value.producer) if value.producer is not None else None
            if source is not None and source != key:
                edges[source].add(key)
    return edges


def _schedule(groups: dict[Key, list[Node]], order: dict[Node, int]) -> list[Key] | None:
    """Topological order of the groups, close to the graph's own; None when contracting them makes a cycle."""
    edges = _edges(groups)
    waiting = dict.fromkeys(groups, 0)
    for readers in edges.values():
        for reader in readers:
            waiting[reader] += 1
    first = {key: order[nodes[0]] for key, nodes in groups.items()}
    ready = [(first[key], key) for key, n in waiting.items() if n == 0]
    heap = [(position, i, key) for i, (position, key) in enumerate(ready)]
    heapq.heapify(heap)
    out: list[Key] = []
    while heap:
        _, _, key = heapq.heappop(heap)
        out.append(key)
        for reader in edges[key]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heapq.heappush(heap, (first[reader], len(out) + len(groups) * (1 + first[reader]), reader))
    return out if len(out) == len(groups) else None


def _culprit(groups: dict[Key, list[Node]], order: dict[Node, int]) -> list[Node]:
    """The smallest call that lies on a cycle."""
    edges = _edges(groups)
    alive = set(groups)
    while True:  # strip what only leads into or only hangs from a cycle
        fed = {r for key in alive for r in edges[key] if r in alive}
        feeding = {key for key in alive if edges[key] & alive}
        kept = alive & fed & feeding
        if kept == alive:
            break
        alive = kept
    calls = [key for key in alive if isinstance(key, Step)]
    best = min(calls, key=lambda k: (len(groups[k]), order[groups[k][0]]))
    return groups[best]


# -- inputs and outputs ---------------------------------------------------------------------------------------------
def reads(node: Node) -> Iterator[Value]:
    """What a node reads: its operands, and the weights its bodies mention."""
    yield from node.inputs
    for graph in (g for body in node.bodies.values() for g in graphs(body)):
        for inner in graph:
            yield from (v for v in inner.inputs if v.is_weight)
        yield from (v for v in graph.outputs if v.is_weight)


def connect(root: Region, model: Model, kept: Set[str] = frozenset()) -> None:
    """Find what enters and leaves every region. State entries named in `kept` are updated by modules themselves."""
    for region in root.regions():
        inside = set(region.nodes())
        region.inputs = list(dict.fromkeys(v for n in region.nodes() for v in reads(n) if _enters(v, inside)))
        region.outputs = [v for n in region.nodes() for v in n.outputs if _leaves(v, inside, kept)]
    root.inputs = list(model.graph.inputs)
    root.outputs = list(model.graph.outputs)


def _enters(value: Value, inside: set[Node]) -> bool:
    """Weights are looked at later: whether they enter depends on which module owns them."""
    if value.is_weight:
        return False
    return value.producer is None or (value.producer not in inside and not is_inline(value.producer))


def _leaves(value: Value, inside: set[Node], kept: Set[str]) -> bool:
    for use in value.uses:
        if isinstance(use.user, Node):
            if _holder(use.user) not in inside:
                return True
        elif not (isinstance(use.user, Model) and use.key in kept):
            return True
    return False


def _holder(node: Node) -> Node:
    """The node of the main graph that a node lies in."""
    graph: Graph | None = node.graph
    while graph is not None and graph.parent is not None:
        node = graph.parent
        graph = node.graph
    return node
