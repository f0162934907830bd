"""The pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ir.core.graph import Graph, Value
from ir.core.model import Model
from ir.ops.axes import Layout
from ir.passes.base import Pass, Rewriter
from ir.passes.layout.plan import make_plan, needed
from ir.passes.layout.rewrite import Rewrite


@dataclass(frozen=True)
class Relayout(Pass):
    """Gives every spatial op the layout `target`, and all other values the layout that moves the fewest bytes.

    Results stay the same; sums may associate differently, and dropout draws for other elements. A model whose spatial
    ops all have that layout stays untouched. A weight that is read in another order throughout is stored in that, under
    its name, unless `keep_weights`.
    """

    target: Layout
    keep_weights: bool = False
    name: ClassVar[str] = "layout"
    after: ClassVar[tuple[str, ...]] = ("simplify", "cse", "norms", "activations", "linear")

    def run(self, model: Model) -> bool:
        rewriter = Rewriter(model, self.name)
        self._run(model.graph, model, rewriter)
        return rewriter.changed

    def _run(self, graph: Graph, model: Model, rewriter: Rewriter) -> None:
        """Lay a graph anew where it needs to be, then the bodies of its nodes."""
        if needed(graph, self.target):
            plan = make_plan(graph, self.target, lambda value: self._storable(model, value))
            Rewrite(plan, model, rewriter, self.keep_weights).run()
        for node in graph:
            for body in node.bodies.values():
                self._run(body, model, rewriter)

    def _storable(self, model: Model, value: Value) -> bool:
        """Whether the elements of a weight may lie in another order than the source's."""
        weight = model.weight_of(value)
        if weight is None or self.keep_weights:
            return False
        return weight.source_blocks is None and weight.name not in model.state
