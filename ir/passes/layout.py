"""Rewrites spatial ops to one layout, with transposes only where the rest of the model needs the other.

    conv (first) -> relu -> conv (first)
    transpose -> conv (last) -> relu -> conv (last) -> transpose        after Relayout("channels_last")

One walk in execution order: a spatial op of the other layout reads its operand transposed and its result is transposed
back; a transpose back that meets an op which does not care where the axes lie, or whose axes can be renumbered, moves
behind it; where it meets a transpose forth, both vanish. Inputs and outputs keep the caller's layout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ir.core.builder import Builder
from ir.core.graph import Graph, Node, Value
from ir.core.model import Model
from ir.core.walk import graphs
from ir.ops.axes import Layout
from ir.passes.base import Pass, Rewriter
from ir.passes.constants import constant_of
from ir.types import normalize_axes, normalize_axis

Perm = tuple[int, ...]
_FAMILIES = ("elementwise", "arithmetic", "activation", "comparison", "logic", "cast")
_IMAGES = ("depth_to_space", "space_to_depth")  # the last three axes are the image, however many lead
_PLACED = {"axis", "axes", "layout", "shape", "broadcast_axes"}  # attributes that say where an axis lies


@dataclass(frozen=True)
class Relayout(Pass):
    """Gives every op that has a `layout` the layout `target`. Results stay the same; sums may associate differently."""

    target: Layout
    name: ClassVar[str] = "layout"
    after: ClassVar[tuple[str, ...]] = ("simplify", "cse")

    def run(self, model: Model) -> bool:
        rewriter = Rewriter(model, self.name)
        for graph in graphs(model.graph):
            _Walk(graph, self.target, rewriter).run()
        return rewriter.changed


def to_layout(target: Layout, rank: int, lead: int = 1) -> Perm:
    """The transpose that takes a tensor of the other layout to `target`; the first `lead` axes are batches."""
    spatial = range(lead, rank - 1) if target == "channels_first" else range(lead + 1, rank)
    return (*range(lead), rank - 1, *spatial) if target == "channels_first" else (*range(lead), *spatial, lead)


def _inverse(perm: Perm) -> Perm:
    return tuple(perm.index(i) for i in range(len(perm)))


class _Walk:
    """One graph. `back` holds the transposes this pass made: value -> (value in the target layout, perm)."""

    def __init__(self, graph: Graph, target: Layout, rewriter: Rewriter) -> None:
        self.graph, self.target, self.rewriter = graph, target, rewriter
        self.back: dict[Value, tuple[Value, Perm]] = {}
        self.forth: dict[tuple[Value, Perm], Value] = {}

    def run(self) -> None:
        for node in self.graph:
            if node.attrs.get("layout", self.target) != self.target:
                self.turn(node)
            elif any(v in self.back for v in node.inputs):
                self.sink(node)
        for value in [*reversed(self.forth.values()), *reversed(self.back)]:
            made = value.producer
            if made is not None and made.graph is self.graph and not value.uses:
                self.graph.remove(made)

    def transposed(self, b: Builder, value: Value, perm: Perm) -> Value:
        """`transpose(value, perm)`, undoing a transpose back where that gives the same."""
        source, applied = self.back.get(value, (value, ()))
        if applied == _inverse(perm):
            return source
        if (value, perm) not in self.forth:
            self.forth[value, perm] = b.transpose(value, perm=perm)
        return self.forth[value, perm]

    def turn(self, node: Node) -> None:
        """Give a spatial op the target layout."""
        x = node.operands.get("x")
        if len(node.outputs) != 1 or not isinstance(x, Value) or node.output.type.rank != x.type.rank:
            self.rewriter.miss(node, "turn", "its operand and result are not one spatial tensor each")
            return
        rank = x.type.rank
        b, perm = self.rewriter.builder(node), to_layout(self.target, rank, rank - 3 if node.op.name in _IMAGES else 1)
        operands = {**_present(node), "x": self.transposed(b, x, perm)}
        made = b.node(node.op, **operands, **{**node.attrs, "layout": self.target})
        self.finish(node, b, made, _inverse(perm), "turn", f"the layout is {self.target}")

    def finish(self, node: Node, b: Builder, made: Node, perm: Perm, rule: str, reason: str) -> None:
        """Replace the node's first output by that of `made` transposed, the others by those of `made` as they are."""
        made.outputs[0].name = node.outputs[0].name
        result = made.outputs[0]
        if perm != tuple(range(len(perm))):
            result = b.transpose(made.outputs[0], perm=perm)
            self.back[result] = (made.outputs[0], perm)
        self.rewriter.replace(node, [result, *made.outputs[1:]], rule, reason)

    def sink(self, node: Node) -> None:
        """Move transposes back from the operands of a node to its result."""
        perm = next(self.back[v][1] for v in node.inputs if v in self.back)
        rule = _RULES.get(node.op.name, _elementwise if _moves_freely(node) else None)
        change = rule(node, perm) if rule is not None else None
        if change is None or node.bodies:
            self.rewriter.miss(node, "sink", "the op depends on the order of the axes")
            return
        main, attrs, after = change
        b = self.rewriter.builder(node)
        if not all(self.fits(v, perm) for name in main for v in _listed(node.operands[name])):
            self.rewriter.miss(node, "sink", "another operand keeps its order of axes")
            return
        operands = _present(node)
        for name in main:
            found = tuple(self.reordered(b, v, perm) for v in _listed(node.operands[name]))
            operands[name] = found if isinstance(node.operands[name], tuple) else found[0]
        made = b.node(node.op, **operands, **{**node.attrs, **attrs})
        self.finish(node, b, made, after, "sink", "the op does not depend on the order of the axes")

    def fits(self, value: Value, perm: Perm) -> bool:
        """Whether the operand is at hand in the target layout, or turns for free."""
        if value in self.back:
            return self.back[value][1] == perm
        return _one_element(value) or _turns_for_free(value)

    def reordered(self, b: Builder, value: Value, perm: Perm) -> Value:
        if value in self.back:
            return self.back[value][0]
        if _one_element(value):
            return value
        missing = len(perm) - value.type.rank
        whole = b.unsqueeze(value, axes=tuple(range(missing))) if missing else value
        return b.transpose(whole, perm=_inverse(perm))


# -- which ops let a transpose through ------------------------------------------------------------------------------
Change = tuple[tuple[str, ...], dict[str, Any], Perm]  # operands to reorder, attributes to change, transpose after
_Rule = Callable[[Node, Perm], "Change | None"]


def _present(node: Node) -> dict[str, Any]:
    return {k: v for k, v in node.operands.items() if v is not None}


def _listed(operand: Any) -> tuple[Value, ...]:
    return operand if isinstance(operand, tuple) else () if operand is None else (operand,)


def _one_element(value: Value) -> bool:
    return all(d == 1 for d in value.type.shape)


def _turns_for_free(value: Value) -> bool:
    """Whether the value is a weight or a constant, perhaps rearranged: it can be stored in any order."""
    node = value.producer
    if node is not None and node.op.name in ("transpose", "unsqueeze", "squeeze", "reshape"):
        return _turns_for_free(node.operand("x"))
    return value.is_weight or constant_of(value) is not None


def _moves_freely(node: Node) -> bool:
    """Whether each element of the result depends only on the elements at its place."""
    placed = any(a.name in _PLACED for a in node.op.attributes)
    return node.op.family in _FAMILIES and not placed and not node.op.random and len(node.outputs) == 1


def _elementwise(node: Node, perm: Perm) -> Change | None:
    if node.output.type.rank != len(perm):
        return None
    return tuple(k for k, v in node.operands.items() if v is not None), {}, perm


def _along_axis(*operands: str) -> _Rule:
    def rule(node: Node, perm: Perm) -> Change:
        return operands, {"axis": perm[normalize_axis(node.attrs["axis"], len(perm))]}, perm

    return rule


def _pad(node: Node, perm: Perm) -> Change:
    pads = node.attrs["pads"]
    return ("x",), {"pads": tuple(pads[i] for i in _inverse(perm))}, perm


def _reduce(node: Node, perm: Perm) -> Change:
    axes = node.attrs["axes"]
    reduced = set(range(len(perm)) if axes is None else normalize_axes(axes, len(perm)))
    attrs = {} if axes is None else {"axes": tuple(sorted(perm[a] for a in reduced))}
    if node.attrs["keepdims"]:
        return ("x",), attrs, perm
    left = [perm[a] for a in range(len(perm)) if a not in reduced]
    return ("x",), attrs, tuple(sorted(left).index(p) for p in left)


_RULES: dict[str, _Rule] = {
    "batch_norm": _along_axis("x"), "concat": _along_axis("xs"), "softmax": _along_axis("x"),
    "log_softmax": _along_axis("x"), "pad": _pad,
    **dict.fromkeys(
        ("reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_any", "reduce_all", "reduce_prod"), _reduce
    ),
}  # fmt: skip
