"""Small exact rewrites. The rules are functions in the files `simplify_*.py`, each with a reason for hit and miss."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

from ir.core.graph import Node
from ir.core.model import Model
from ir.core.walk import walk
from ir.passes import (  # noqa: F401 - registration
    simplify_arithmetic,
    simplify_control,
    simplify_indexing,
    simplify_movement,
)
from ir.passes.base import Pass, Rewriter
from ir.passes.simplify_rules import RULES, Fail, Hit

__all__ = ["RULES", "Simplify"]


@dataclass(frozen=True)
class Simplify(Pass):
    """Applies every rule until none hits. All rules keep results bit for bit in both modes of the model."""

    name: ClassVar[str] = "simplify"

    def run(self, model: Model) -> bool:
        rewriter = Rewriter(model, self.name)
        queue = deque(walk(model.graph))
        while queue:
            node = queue.popleft()
            if node.graph is not None:
                queue.extend(_apply(node, rewriter))
        return rewriter.changed


def _apply(node: Node, rewriter: Rewriter) -> list[Node]:
    """Apply the first rule that hits; the nodes to look at again."""
    for rule in RULES.get(node.op.name, ()):
        b = rewriter.builder(node)
        made: list[Node] = []
        b.on_node = made.append
        outcome = rule.function(node, b)
        if isinstance(outcome, Hit):
            readers = [u for v in node.outputs for u in v.users]
            rewriter.replace(node, outcome.values, rule.name, outcome.reason)
            return [*made, *readers]
        if isinstance(outcome, Fail):
            rewriter.miss(node, rule.name, outcome.reason)
    return []
