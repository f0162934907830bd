"""What was chosen and why, region by region: for `isomorph trace`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ir.core.graph import Node, Value
from ir.core.origin import Origin
from ir.passes.layout.plan import Plan
from ir.passes.log import Rewrite, record


@dataclass
class Moved:
    """A transpose that stays: what is moved, how many bytes, and who wants it so."""

    value: Value
    bytes: int
    why: str

    def __str__(self) -> str:
        return f"{self.bytes:,} bytes of {self.value.name or 'a value'} ({self.why})"


@dataclass
class Region:
    """Ops that share values whose channels are known."""

    nodes: list[Node] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)

    def words(self, plan: Plan) -> str:
        """The choice, who forces it, and what it costs."""
        chosen = Counter(plan.chosen[n] for n in self.nodes)
        forced = Counter(n.op.name for n in self.nodes if plan.fits[n].only is not None)
        layouts = " and ".join(f"{layout} for {count} of them" for layout, count in chosen.most_common())
        by = ", ".join(f"{count} {name}" for name, count in forced.most_common()) or (
            "the node around it" if plan.border else "its norms"
        )
        count = {0: "no transpose stays", 1: "1 transpose stays"}.get(
            len(self.moved), f"{len(self.moved)} transposes stay"
        )
        cost = ": ".join([count, *(["; ".join(map(str, self.moved))] if self.moved else [])])
        return f"{layouts}; it is asked for by {by}; {cost}"


def report(plan: Plan, homes: dict[Value, Region], moved: list[Moved], name: str) -> None:
    """Tell the choice for each region that is not as the source has it; `homes` are the `regions` before it changed."""
    for item in moved:
        if item.value in homes:
            homes[item.value].moved.append(item)
    for region in {id(r): r for r in homes.values()}.values():
        if region.moved or not all(plan.order_is_kept(n) for n in region.nodes):
            first, last = region.nodes[0], region.nodes[-1]
            what = f"{len(region.nodes)} ops from {first!r} to {last!r}"
            record(Rewrite(name, "region", region.words(plan), what, Origin(path=first.origin.path)))


def regions(plan: Plan) -> dict[Value, Region]:
    """The region of each value: ops that are connected, in the order of the graph."""
    homes: dict[Value, Region] = {}
    for node in (n for n in plan.graph if n in plan.fits):
        values = [v for v in (*node.inputs, *node.outputs) if v in plan.roles]
        found = {id(homes[v]): homes[v] for v in values if v in homes}
        region = max(found.values(), key=lambda r: len(r.nodes), default=Region())
        for part in found.values():
            if part is not region:
                region.nodes += part.nodes
                for n in part.nodes:
                    homes.update((v, region) for v in (*n.inputs, *n.outputs) if v in homes)
        region.nodes.append(node)
        homes.update((v, region) for v in values)
    return homes
