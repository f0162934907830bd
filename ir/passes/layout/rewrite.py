"""Carries out a plan: nodes read and give values in the layout chosen, transposes stand where two layouts meet."""

from __future__ import annotations

from typing import Any

import numpy as np

from ir.core.builder import Builder
from ir.core.graph import Graph, Node, Use, Value
from ir.core.model import Model
from ir.core.origin import Origin, common_path
from ir.core.walk import copy_graph
from ir.ops.axes import Layout
from ir.passes.base import Rewriter
from ir.passes.constants import constant_of
from ir.passes.layout.fit import Absorbed, Fit, aligned_shape, is_free, keeps_order, listed, permuted
from ir.passes.layout.plan import Border, Plan, bytes_of, make_plan
from ir.passes.layout.report import Moved, regions, report
from ir.passes.layout.roles import Perm, Role, identity, inverse, keeps_elements
from ir.types import Shape
from ir.verify import types_agree


class Rewrite:
    """One graph. `stored`: where a value lies now that is no longer stored as the source orders it, and in which order."""

    def __init__(self, plan: Plan, model: Model, rewriter: Rewriter, keep_weights: bool = False) -> None:
        self.plan, self.model, self.rewriter, self.keep_weights = plan, model, rewriter, keep_weights
        self.stored: dict[Value, tuple[Value, Perm]] = {}
        self.moved: dict[tuple[Value, Perm], Value] = {}
        self.transposes: list[Moved] = []

    def run(self) -> None:
        """Edit the graph."""
        self.open()
        changed = [n for n in self.plan.graph if n in self.plan.fits and not self.plan.order_is_kept(n)]
        homes = regions(self.plan)
        if not self.keep_weights:
            self.store_weights(changed)
        old = set(changed)
        for node in self.plan.graph:
            if node in old:
                self.renew(node)
            elif self.stored or self.moved:
                self.keep(node)
        self.close()
        report(self.plan, homes, self.transposes, self.rewriter.pass_name)
        for node in reversed(changed):
            self.plan.graph.remove(node)

    # -- values -------------------------------------------------------------------------------------------------------
    def read(self, value: Value, order: Perm, reader: Node | None, why: str) -> Value:
        """The value stored in this order, for a reader (None: an output of the graph)."""
        now, have = self.stored.get(value, (value, identity(value.type.rank)))
        if have == order:
            return now
        if (value, order) not in self.moved:
            perm = tuple(have.index(a) for a in order)
            b = self.between(now, reader)
            if keeps_elements(now.type.shape, perm):
                made: Value = b.reshape(now, shape=tuple(now.type.shape[a] for a in perm))
            else:
                made = b.transpose(now, perm=perm)
                self.tell(value, now, made, why)
            made.name = value.name
            self.moved[value, order] = made
        return self.moved[value, order]

    def between(self, value: Value, reader: Node | None) -> Builder:
        """Makes nodes in front of a reader, in the module that holds it and the value's maker."""
        ends = [value.producer.origin.path if value.producer is not None else ()]
        ends.append(reader.origin.path if reader is not None else ())
        made = value.producer.origin if value.producer is not None else reader.origin if reader else Origin()
        origin = Origin(made.op, made.name, common_path(ends), made.line, made.rule, made.history).by("layout")
        return Builder(self.plan.graph, before=reader, origin=origin)

    def tell(self, source: Value, value: Value, made: Value, why: str) -> None:
        """Log a transpose that stays."""
        node = made.producer
        assert node is not None
        self.transposes.append(Moved(source, bytes_of(value.type), why))
        self.rewriter.log(node, "transpose", str(self.transposes[-1]))

    def lined_up(self, b: Builder, value: Value, order: Perm, aligned: bool) -> Value:
        """A value without a role, as it is read in this order: of lower rank it is aligned at the right."""
        now, have = self.stored.get(value, (value, identity(value.type.rank)))
        shape = tuple(now.type.shape[a] for a in inverse(have))
        wanted = aligned_shape(shape, order) if aligned else tuple(shape[a] for a in order)
        own = _own(order, len(shape))
        array = constant_of(now)
        if array is not None and have == identity(len(shape)):
            same = wanted == shape and keeps_order(shape, order)
            return now if same else b.constant(np.ascontiguousarray(array.transpose(own).reshape(wanted)))
        if own != have and not keeps_order(shape, order):
            now = b.transpose(now, perm=tuple(have.index(a) for a in own))
        return now if now.type.shape == wanted else _reshaped(b, now, wanted)

    # -- weights ------------------------------------------------------------------------------------------------------
    def store_weights(self, changed: list[Node]) -> None:
        """Weights that every reader wants in one other order are stored in that; names stay."""
        wanted: dict[Value, set[Perm]] = {}
        for node in changed:
            fit = self.plan.fits[node]
            for value, role in fit.operands(node):
                if value.is_weight:
                    wanted.setdefault(value, set()).add(_own(role.order(self.plan.chosen[node]), value.type.rank))
        here = set(changed)
        for value, orders in wanted.items():
            weight = self.model.weight_of(value)
            if weight is None or len(orders) > 1 or not all(self.follows(u, here) for u in value.uses):
                continue
            (order,) = orders
            if keeps_order(value.type.shape, order) or weight.name in self.model.state:
                continue
            turned = weight.permuted(order)
            self.model.update_weight(weight.name, data=turned.data, source_axes=turned.source_axes)
            self.stored[value] = (value, order)
            self.rewriter.changed = True

    def follows(self, use: Use, changed: set[Node]) -> bool:
        """Whether a use reads a weight in the order of its node's layout."""
        fit = self.plan.fits.get(use.user) if isinstance(use.user, Node) else None
        follows = fit is not None and not fit.branches and fit.role_at(use.key, use.index) is not None
        return follows and use.user in changed

    # -- nodes --------------------------------------------------------------------------------------------------------
    def renew(self, node: Node) -> None:
        """Make the node anew in the layout chosen for it."""
        fit, layout = self.plan.fits[node], self.plan.chosen[node]
        b = self.rewriter.builder(node)
        operands: dict[str, Any] = {}
        for name, operand in node.operands.items():
            if operand is None:
                continue
            values = enumerate(listed(operand))
            found = tuple(self.operand(b, node, v, fit.role_at(name, i), fit, layout) for i, v in values)
            operands[name] = found if isinstance(operand, tuple) else found[0]
        if fit.branches:
            made = self.branches(b, node, operands, fit, layout)
        elif fit.make is not None:
            made = fit.make(b, node, operands, layout)
        else:
            made = b.node(node.op, **operands, **{**node.attrs, **fit.attrs(layout)}).outputs
        if fit.absorbed is not None:
            self.absorb(fit.absorbed, fit.roles[0].order(layout))
        for old, new, role in zip(node.outputs, made, fit.outs, strict=True):
            order = identity(old.type.rank) if role is None else role.order(layout)
            if not types_agree(permuted(old.type, order), new.type):
                raise ValueError(f"layout: {node!r} gives {new.type} for {old.type} in the order {order}")
            new.name = new.name or old.name
            self.stored[old] = (new, order)
        why = f"it runs {layout}" if fit.only is None else f"the target runs it {layout}"
        self.rewriter.log(node, layout, why)

    def branches(self, b: Builder, node: Node, operands: dict[str, Any], fit: Fit, layout: Layout) -> tuple[Value, ...]:
        """The node with its bodies laid anew."""
        took = fit.ins["captures"]
        assert isinstance(took, tuple)
        bodies: dict[str, Any] = {}
        for name, body in node.bodies.items():
            twin = Graph(body.name)
            copy_graph(body, twin, {v: twin.add_input(v.type, v.name) for v in body.inputs})
            plan = make_plan(twin, self.plan.target, self.plan.storable, Border(layout, took, fit.outs))
            Rewrite(plan, self.model, self.rewriter, self.keep_weights).run()
            bodies[f"{name}_"] = twin
        return b.node(node.op, **operands, **node.attrs, **bodies).outputs

    def absorb(self, absorbed: Absorbed, order: Perm) -> None:
        """Store the weights that read a map in a row by the order in which the map lies now."""
        for value in absorbed.weights:
            weight = self.model.weight_of(value)
            assert weight is not None
            turned = weight.reordered(1, absorbed.sizes, tuple(a - 1 for a in order[1:]))
            self.model.update_weight(weight.name, data=turned.data, source_blocks=turned.source_blocks)

    def operand(self, b: Builder, node: Node, value: Value, role: Role | None, fit: Fit, layout: Layout) -> Value:
        if role is None:
            return self.read(value, identity(value.type.rank), node, f"{node.op.name} reads it in the source's order")
        order = role.order(layout)
        if self.plan.follows(value, role):
            return self.read(value, order, node, f"{node.op.name} runs {layout}")
        if not is_free(value) and value.type.rank == role.rank and not keeps_order(value.type.shape, order):
            return self.read(value, order, node, f"{node.op.name} runs {layout}")
        return self.lined_up(b, value, order, fit.aligned)

    def keep(self, node: Node) -> None:
        """Let a node that stays read its operands as it did."""
        chosen = self.plan.chosen.get(node)
        why = self.plan.kept.get(node) or (f"{chosen} costs no more" if chosen else "nothing tells its channels")
        for name, operand in node.operands.items():
            if operand is None:
                continue
            now = tuple(
                self.as_before(v, node, f"{node.op.name} keeps the source's order: {why}") for v in listed(operand)
            )
            if now != listed(operand):
                node.set_operand(name, now if isinstance(operand, tuple) else now[0])

    def as_before(self, value: Value, node: Node | None, why: str) -> Value:
        return self.read(value, identity(value.type.rank), node, why)

    def open(self) -> None:
        """Let a body's inputs lie as its border says."""
        border = self.plan.border
        for value, role in zip(self.plan.graph.inputs, border.ins if border is not None else ()):
            if border is not None and role is not None:
                order = role.order(border.layout)
                value.type = permuted(value.type, order)
                self.stored[value] = (value, order)

    def close(self) -> None:
        """Give the graph's outputs as its border says, the next states as they were."""
        border = self.plan.border
        orders = [identity(v.type.rank) for v in self.plan.graph.outputs]
        if border is not None:
            orders = [o if r is None else r.order(border.layout) for o, r in zip(orders, border.outs, strict=True)]
        why = "outputs keep the source's order" if border is None else "the other branch gives it so"
        outputs = [self.read(v, o, None, why) for v, o in zip(self.plan.graph.outputs, orders, strict=True)]
        if tuple(outputs) != self.plan.graph.outputs:
            self.plan.graph.set_outputs(outputs)
        if self.plan.graph is self.model.graph:
            for name, value in list(self.model.state.items()):
                if value in self.stored:
                    self.model.set_state(name, self.as_before(value, None, "state keeps the source's order"))


def _own(order: Perm, rank: int) -> Perm:
    """The order of the axes of a value of this rank, aligned at the right of a value stored in `order`."""
    missing = len(order) - rank
    return tuple(a - missing for a in order if a >= missing)


def _reshaped(b: Builder, value: Value, shape: Shape) -> Value:
    """The value in another shape of the same elements, in the plainest words."""
    old = value.type.shape
    behind = shape[: len(old)] == old and len(shape) > len(old)
    made: Value = (
        b.unsqueeze(value, axes=tuple(range(len(old), len(shape)))) if behind else b.reshape(value, shape=shape)
    )
    return made
