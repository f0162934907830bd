"""Removes what no output and no state depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ir.core.binding import binders, read_symbols, value_symbols
from ir.core.graph import Graph, Node
from ir.core.model import Model
from ir.passes.base import Pass, Rewriter
from ir.types import symbols


@dataclass(frozen=True)
class DeadCode(Pass):
    """Removes nodes that nothing reads, and weights of kind constant that nothing reads.

    A node that binds a size symbol stays while a live node, an output or an assumption of the model names it.
    Parameters and buffers always stay: a model keeps what its source trains and saves. Inputs stay: they are the
    signature's.
    """

    name: ClassVar[str] = "dead_code"
    after: ClassVar[tuple[str, ...]] = ("fold", "cse", "simplify")

    def run(self, model: Model) -> bool:
        rewriter = Rewriter(model, self.name)
        needed = {s.name for a in model.assumptions for d in (a.left, a.right) for s in symbols(d)}
        needed |= value_symbols(model.state.values())
        _sweep(model.graph, binders(model.graph), needed, rewriter)
        return _drop_constants(model) or rewriter.changed


def _sweep(graph: Graph, binding: dict[Node, frozenset[str]], needed: set[str], rewriter: Rewriter) -> None:
    needed |= value_symbols(graph.outputs)
    for node in reversed(graph):
        if not any(v.uses for v in node.outputs) and not binding.get(node, frozenset()) & needed:
            rewriter.remove(node, "unread", "no output, state or size depends on it")
            continue
        for body in node.bodies.values():
            _sweep(body, binding, needed, rewriter)
        needed |= read_symbols(node) | value_symbols(node.outputs)


def _drop_constants(model: Model) -> bool:
    dead = [
        w.name
        for w in model.weights.values()
        if w.kind == "constant" and w.name not in model.state and not model.weight_value(w.name).uses
    ]
    for name in dead:
        model.remove_weight(name)
    return bool(dead)
