"""The choice of layouts for one graph: roles spread from the spatial ops, then a minimum cut over what may lie either way."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ir.core.graph import Graph, Node, Use, Value
from ir.ops.axes import Layout
from ir.passes.layout.cut import SINK, SOURCE, Cut
from ir.passes.layout.fit import Fit, aligned_shape, is_free, keeps_order, listed, permuted
from ir.passes.layout.flat import Storable
from ir.passes.layout.roles import Role, keeps_elements
from ir.passes.layout.rules import find, forced
from ir.types import TensorType, evaluate_dim, symbols
from ir.types.dim import recording_assumptions
from ir.verify import types_agree

TYPICAL = 16
"""What a symbolic size counts as when bytes are compared."""
_SHAPED, _REWRITTEN = 2, 16
"""What another shape of the same elements costs, and an op that becomes another one, where as many bytes move anyhow."""
FIRST: Layout = "channels_first"
LAST: Layout = "channels_last"


def bytes_of(t: TensorType) -> int:
    """The bytes of a tensor, symbolic sizes taken as TYPICAL."""
    count = 1
    for d in t.shape:
        count *= max(evaluate_dim(d, {s.name: TYPICAL for s in symbols(d)}), 0)
    return (count * t.dtype.bits + 7) // 8


@dataclass(frozen=True)
class Border:
    """How a body's inputs and outputs lie: those that have a role, in this layout."""

    layout: Layout
    ins: tuple[Role | None, ...]
    outs: tuple[Role | None, ...]


@dataclass
class Plan:
    """What is known of a graph, and what is chosen. `kept` says of a node that roles reached why it keeps its order;
    `moved` tells that the cheapest choice moves bytes.

    `border` is of a body that is laid anew with its node; inputs and outputs keep the source's order without.
    """

    graph: Graph
    target: Layout
    storable: Storable = field(default=lambda weight: False)
    border: Border | None = None
    roles: dict[Value, Role] = field(default_factory=dict)
    fits: dict[Node, Fit] = field(default_factory=dict)
    kept: dict[Node, str] = field(default_factory=dict)
    chosen: dict[Node, Layout] = field(default_factory=dict)
    moved: bool = False

    def follows(self, value: Value, role: Role | None) -> bool:
        """Whether a value has this role: it is then stored by layout."""
        return role is not None and self.roles.get(value) == role

    def order_is_kept(self, node: Node) -> bool:
        """Whether a node stays as it is in the layout chosen for it."""
        fit = self.fits[node]
        chosen = self.chosen[node]
        return all(r.layout == chosen for r in fit.roles) and node.attrs.get("layout", chosen) == chosen


def needed(graph: Graph, target: Layout) -> bool:
    """Whether an op of the graph, bodies aside, lies in the other layout than the target's."""
    return any(_lies_otherwise(node, target) for node in graph)


def _lies_otherwise(node: Node, target: Layout) -> bool:
    if "layout" in node.attrs:
        return bool(node.attrs["layout"] != target)
    if node.op.name == "batch_norm" and target == FIRST:
        rank = node.operand("x").type.rank
        return rank > 2 and node.attrs["axis"] % rank == rank - 1
    return False


def make_plan(graph: Graph, target: Layout, storable: Storable, border: Border | None = None) -> Plan:
    """Roles, fits and the cheapest choice of layouts; `storable` tells of a weight whether it may be stored otherwise."""
    plan = Plan(graph, target, storable, border)
    _Spread(plan).run()
    _Choice(plan).run()
    return plan


def input_roles(graph: Graph, target: Layout) -> dict[Value, Role]:
    """The graph's inputs of which the ops tell where the channels lie."""
    plan = Plan(graph, target)
    _Spread(plan).run()
    return {v: plan.roles[v] for v in graph.inputs if v in plan.roles}


class _Spread:
    """Carries roles from value to value through every op that can run in either layout."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.queue: deque[Value] = deque()

    def run(self) -> None:
        border = self.plan.border
        if border is not None:
            graph = self.plan.graph
            for value, role in (*zip(graph.inputs, border.ins), *zip(graph.outputs, border.outs)):
                if role is not None and not is_free(value):
                    self.give(value, role)
        for node in self.plan.graph:
            fit = forced(node, self.plan.target)
            if fit is not None:
                self.take(node, fit)
        self.drain()
        for node in self.plan.graph:  # norms that no spatial op is near
            if _lies_otherwise(node, self.plan.target) and node not in self.plan.fits and "layout" not in node.attrs:
                rank = node.operand("x").type.rank
                self.give(node.operand("x"), Role(1, rank - 1, rank))
                self.drain()

    def drain(self) -> None:
        while self.queue:
            self.visit(self.queue.popleft())

    def visit(self, value: Value) -> None:
        role = self.plan.roles[value]
        made = value.producer
        if made is not None and (value.index == 0 or made.op.outputs[0].endswith("*")):
            self.reach(made, role, value.index)
        for use in value.uses:
            if isinstance(use.user, Node):
                self.reach(use.user, role, use)

    def reach(self, node: Node, role: Role, at: Use | int) -> None:
        """Fit a node that a role came to, at a use or at one of its outputs."""
        if node in self.plan.fits:
            return
        if node.bodies:
            fit = _branches(self.plan, node, role, at)
        else:
            fit = find(node, role, "in" if isinstance(at, Use) else "out", self.plan.target, self.plan.storable)
        if fit is not None and isinstance(at, Use) and fit.role_at(at.key, at.index) is None:
            fit = None  # it reads the value elsewhere than where the layout matters
        if fit is None:
            self.plan.kept[node] = "it depends on the order of the axes"
        elif any(self.plan.roles.get(v, r) != r for v, r in self.followers(node, fit)):
            self.plan.kept[node] = "its operands want different orders"
        elif not _applies(node, fit):
            self.plan.kept[node] = "its sizes are not proven in the other layout"
        else:
            self.take(node, fit)

    def followers(self, node: Node, fit: Fit) -> list[tuple[Value, Role]]:
        """The values at a node that get a role from it."""
        ins = [(v, r) for v, r in fit.operands(node) if v.type.rank == r.rank and not is_free(v) and _spans(v)]
        return [*ins, *((v, r) for v, r in zip(node.outputs, fit.outs, strict=True) if r is not None)]

    def take(self, node: Node, fit: Fit) -> None:
        self.plan.fits[node] = fit
        self.plan.kept.pop(node, None)
        for value, role in self.followers(node, fit):
            self.give(value, role)

    def give(self, value: Value, role: Role) -> None:
        if value not in self.plan.roles and value.type.rank == role.rank:
            self.plan.roles[value] = role
            self.queue.append(value)


def other(layout: Layout) -> Layout:
    """The layout that is not this one."""
    return LAST if layout == FIRST else FIRST


def _spans(value: Value) -> bool:
    """Whether a value has more than one element, perhaps."""
    return any(d != 1 for d in value.type.shape)


def _applies(node: Node, fit: Fit) -> bool:
    """Whether the op certainly takes its operands in the other layout, and gives its results in that."""
    if fit.make is not None or fit.only is not None or fit.branches:
        return True
    layout = other(fit.roles[0].layout)
    given = {}
    for name, operand in node.operands.items():
        values = enumerate(listed(operand))
        types = tuple(_read_type(v.type, fit.role_at(name, i), layout, fit.aligned) for i, v in values)
        if operand is not None:
            given[name] = types if isinstance(operand, tuple) else types[0]
    try:
        with recording_assumptions():
            found = node.op.infer_types(given, {**node.attrs, **fit.attrs(layout)}, {})
    except (TypeError, ValueError):
        return False
    wanted = [_read_type(v.type, r, layout, False) for v, r in zip(node.outputs, fit.outs, strict=True)]
    return len(found) == len(wanted) and all(types_agree(a, b) for a, b in zip(wanted, found, strict=True))


def _read_type(t: TensorType, role: Role | None, layout: Layout, aligned: bool) -> TensorType:
    if role is None:
        return t
    order = role.order(layout)
    return t.with_shape(aligned_shape(t.shape, order)) if aligned and t.rank < role.rank else permuted(t, order)


class _Choice:
    """The minimum cut: a node on the source's side runs channels first.

    A value costs its bytes once if any reader wants it in the other layout than the one it is made in. One unit, less
    than any byte, goes to what runs in the other layout than the target's: of equal choices the one is taken whose
    transposes stand at the borders.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.cut = Cut()
        self.scale = _REWRITTEN * (len(plan.fits) + len(plan.roles) + 1)
        self.side: dict[Node, int] = {}

    def run(self) -> None:
        for node, fit in self.plan.fits.items():
            self.side[node] = self.cut.choice() if fit.only is None else _fixed(fit.only)
        for node, fit in self.plan.fits.items():
            self.own_costs(node, fit)
        for value, role in self.plan.roles.items():
            self.moves(value, role)
        first = self.cut.solve()
        self.plan.moved = self.cut.paid >= self.scale
        for node, side in self.side.items():
            self.plan.chosen[node] = FIRST if side in first else LAST

    def own_costs(self, node: Node, fit: Fit) -> None:
        side = self.side[node]
        if fit.surcharge is not None:
            layout, share = fit.surcharge
            self.unary(side, layout, int(bytes_of(node.outputs[0].type) * share) * self.scale)
        self.unary(side, other(self.plan.target), 1)
        if fit.rewritten is not None:
            self.unary(side, fit.rewritten, _REWRITTEN)
        for value, role in fit.operands(node):
            if not self.plan.follows(value, role) and not is_free(value):
                away = other(role.layout)
                if not keeps_order(value.type.shape, role.order(away)):
                    self.unary(side, away, (bytes_of(value.type) + 1) * self.scale)

    def unary(self, side: int, layout: Layout, cost: int) -> None:
        """A cost of choosing a layout."""
        self.cut.penalty(*((side, SINK) if layout == FIRST else (SOURCE, side)), cost)

    def moves(self, value: Value, role: Role) -> None:
        """What it costs to have a value in both layouts."""
        natural = _fixed(role.layout)
        border = natural if self.plan.border is None else _fixed(self.plan.border.layout)
        made = value.producer
        fit = self.plan.fits.get(made) if made is not None else None
        source = self.side[made] if fit and made and fit.outs[value.index] == role else natural
        if value.kind == "input":
            source = border
        readers = {self.reader(use, role, natural, border) for use in value.uses}
        moved = not keeps_elements(value.type.shape, role.order(other(role.layout)))
        cost = (bytes_of(value.type) + 1) * self.scale if moved else _SHAPED
        forever = 1 << 200
        first, last = self.cut.choice(), self.cut.choice()
        for reader in readers:
            self.cut.penalty(reader, first, forever)
            self.cut.penalty(last, reader, forever)
        self.cut.penalty(first, source, cost)
        self.cut.penalty(source, last, cost)

    def reader(self, use: Use, role: Role, natural: int, border: int) -> int:
        node = use.user
        if not isinstance(node, Node):
            return border if isinstance(node, Graph) else natural
        fit = self.plan.fits.get(node)
        return self.side[node] if fit is not None and fit.role_at(use.key, use.index) == role else natural


def _fixed(layout: Layout) -> int:
    return SOURCE if layout == FIRST else SINK


# -- branches -------------------------------------------------------------------------------------------------------
def _branches(plan: Plan, node: Node, role: Role, at: Use | int) -> Fit | None:
    """The fit of a node whose bodies are its two branches, where what the layout asks for is free inside of them."""
    if node.op.name not in ("by_mode", "cond") or node.attrs["symbols"] or node in plan.kept:
        return None
    if any(inner.bodies for body in node.bodies.values() for inner in body):
        return None  # each level would be planned for each choice of the one around it
    if isinstance(at, Use) and at.key != "captures":
        return None
    ins: dict[int, Role] = {at.index or 0: role} if isinstance(at, Use) else {}
    outs: dict[int, Role] = {} if isinstance(at, Use) else {at: role}
    for _ in range(len(node.bodies) + 1):  # a role that one body tells may reach further in the other
        for body in node.bodies.values():
            if not _gather(plan, body, ins, outs):
                return None
    counts = len(node.operands["captures"]), len(node.outputs)
    took, gave = (tuple(d.get(i) for i in range(n)) for d, n in zip((ins, outs), counts, strict=True))
    for body in node.bodies.values():
        if make_plan(body, plan.target, plan.storable, Border(other(role.layout), took, gave)).moved:
            return None
    return Fit({"captures": took}, gave, branches=True)


def _gather(plan: Plan, body: Graph, ins: dict[int, Role], outs: dict[int, Role]) -> bool:
    """Add the roles that a body's inputs and outputs get from those known; whether they agree."""
    known = Border(
        plan.target,
        tuple(ins.get(i) for i in range(len(body.inputs))),
        tuple(outs.get(i) for i in range(len(body.outputs))),
    )
    inner = Plan(body, plan.target, plan.storable, known)
    _Spread(inner).run()
    for values, roles in ((body.inputs, ins), (body.outputs, outs)):
        for i, value in enumerate(values):
            found = inner.roles.get(value)
            if found is not None and roles.setdefault(i, found) != found:
                return False
    return len({r.layout for r in (*ins.values(), *outs.values())}) == 1
