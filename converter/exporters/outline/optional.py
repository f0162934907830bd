"""Optional children: a call without one of its siblings' children gets an identity in its place.

    Block A: add(bn(conv(x)), downsample(x))        Block B: add(bn(conv(x)), x)

B gets `downsample = Identity`, so that one class serves both. The two graphs are walked in step from their outputs;
where A reads the output of the child that B lacks, B must read what A hands to that child.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from converter.exporters.outline.regions import Region, Steps, build_regions, connect
from ir.core import Builder, Model, Node, Scope, Value
from ir.core.graph import Use

_MAX_NODES = 400


def insert_identities(model: Model, steps: dict[Node, Steps]) -> bool:
    """Insert identities, in place; returns whether there were any."""
    root = build_regions(model, dict(steps))
    connect(root, model, set(model.state))
    by_class: dict[str, list[Region]] = {}
    for region in root.regions():
        if region.cls and region.cls != "Sequential":
            by_class.setdefault(region.cls, []).append(region)
    changed = False
    for regions in by_class.values():
        full = max(regions, key=lambda r: len(_children(r)))
        for region in regions:
            missing = set(_children(full)) - set(_children(region))
            if missing and set(_children(region)) <= set(_children(full)):
                changed |= _complete(model, full, region, missing)
    return changed


def _children(region: Region) -> dict[str, Region]:
    return {item.steps[-1].name: item for item in region.items if isinstance(item, Region)}


@dataclass
class _Match:
    """The walk in step. `edges` are the places in the smaller region that read past a missing child."""

    full: Region
    small: Region
    missing: dict[str, Region]
    pairs: dict[Value, Value] = field(default_factory=dict)
    edges: dict[str, list[tuple[Use, Value]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.inside_full = set(self.full.nodes())
        self.inside_small = set(self.small.nodes())
        self.ends = {r.outputs[0]: name for name, r in self.missing.items() if len(r.outputs) == 1 == len(r.inputs)}

    def run(self) -> bool:
        """Whether the regions agree but for the missing children."""
        if len(self.ends) != len(self.missing) or len(self.full.outputs) != len(self.small.outputs):
            return False
        same = all(self.value(a, b, None) for a, b in zip(self.full.outputs, self.small.outputs))
        return same and set(self.edges) == set(self.missing)

    def value(self, a: Value, b: Value, use: Use | None) -> bool:
        if a in self.ends:
            name = self.ends[a]
            if use is None or not self.value(self.missing[name].inputs[0], b, None):
                return False
            self.edges.setdefault(name, []).append((use, b))
            return True
        if a in self.pairs:
            return self.pairs[a] is b
        self.pairs[a] = b
        if a.is_weight or b.is_weight:
            return a.is_weight and b.is_weight
        first, second = a.producer, b.producer
        outer = first not in self.inside_full, second not in self.inside_small
        if first is None or second is None or any(outer):
            constants = [p is not None and p.op.name == "constant" for p in (first, second)]
            if any(constants):
                return all(constants) and first.attrs == second.attrs  # type: ignore[union-attr]
            return all(outer)
        return a.index == b.index and self.node(first, second)

    def node(self, a: Node, b: Node) -> bool:
        if a.op is not b.op or len(a.inputs) != len(b.inputs) or a.bodies:
            return False
        for key, left in a.operands.items():
            right = b.operands[key]
            if (left is None) != (right is None):
                return False
            pairs = zip(left, right) if isinstance(left, tuple) else [(left, right)]
            for i, (x, y) in enumerate(pairs):
                if x is not None and not self.value(x, y, Use(b, key, i if isinstance(left, tuple) else None)):
                    return False
        return True


def _complete(model: Model, full: Region, region: Region, missing: set[str]) -> bool:
    if sum(1 for _ in full.nodes()) > _MAX_NODES:
        return False
    match = _Match(full, region, {name: r for name, r in _children(full).items() if name in missing})
    if not match.run():
        return False
    order = {n: i for i, n in enumerate(model.graph)}
    for edges in match.edges.values():
        if len({value for _, value in edges}) != 1:
            return False
    for name, edges in match.edges.items():
        first = min((use.user for use, _ in edges), key=lambda n: order[n])
        path = (*first.origin.path[: len(_scope_path(first, region))], Scope(name, "Identity"))
        builder = Builder(model.graph, before=first, origin=replace(first.origin, path=path))
        made = builder.identity(edges[0][1])
        for use, _ in edges:
            use.user._replace_use(use, made)
    return True


def _scope_path(node: Node, region: Region) -> tuple[Scope, ...]:
    """The part of a node's scope path that spells the region's path."""
    wanted = ".".join(region.path)
    for count in range(len(node.origin.path) + 1):
        if ".".join(s.name for s in node.origin.path[:count]) == wanted:
            return node.origin.path[:count]
    return ()
