"""Infers all types anew after edits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ir.core.graph import Graph, Node
from ir.core.model import Model
from ir.passes.base import Pass, Rewriter
from ir.types import Assumption
from ir.types.dim import recording_assumptions
from ir.verify import infer_node


@dataclass(frozen=True)
class InferTypes(Pass):
    """Sets every node's output types to what its op infers from the operands, in order of execution.

    Size equalities that inference takes for granted become assumptions of the model. Raises ValueError, naming the
    node, where an op no longer applies. Inputs of bodies keep their types: the op checks them.
    """

    name: ClassVar[str] = "infer_types"

    def run(self, model: Model) -> bool:
        rewriter = Rewriter(model, self.name)
        with recording_assumptions() as assumed:
            _infer(model.graph, rewriter)
        return keep_assumptions(model, assumed) or rewriter.changed


def keep_assumptions(model: Model, assumed: Iterable[Assumption]) -> bool:
    """Add assumptions that the model does not have yet; whether there were any."""
    known = {(a.left, a.right) for a in model.assumptions}
    before = len(model.assumptions)
    for a in assumed:
        if (a.left, a.right) not in known and (a.right, a.left) not in known:
            known.add((a.left, a.right))
            model.assumptions.append(a)
    return len(model.assumptions) > before


def _infer(graph: Graph, rewriter: Rewriter) -> None:
    for node in graph:
        for body in node.bodies.values():
            _infer(body, rewriter)
        _update(node, rewriter)


def _update(node: Node, rewriter: Rewriter) -> None:
    try:
        types = infer_node(node)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{node.op.name} ({node.origin}) does not apply: {error}") from error
    if len(types) != len(node.outputs):
        raise ValueError(f"{node.op.name} ({node.origin}) has {len(node.outputs)} outputs, inferred {len(types)}")
    if types != tuple(v.type for v in node.outputs):
        rewriter.log(node, "infer", f"declared {[v.type for v in node.outputs]}, inferred {list(types)}")
        for value, t in zip(node.outputs, types, strict=True):
            value.type = t
