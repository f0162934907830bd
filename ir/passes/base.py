"""What a pass is, and the one way in which passes edit a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ir.core.builder import Builder
from ir.core.graph import Graph, Node, Value
from ir.core.model import Model
from ir.passes.log import Miss, Rewrite, record
from ir.verify import types_agree


@dataclass(frozen=True)
class Pass:
    """A rewriting of models. A subclass is a frozen dataclass whose fields are its options.

    `after` and `before` name passes that must run earlier or later when both are in a pipeline. `requires` and
    `ensures` yield complaints: what must hold of the model before and after.
    """

    name: ClassVar[str]
    after: ClassVar[tuple[str, ...]] = ()
    before: ClassVar[tuple[str, ...]] = ()

    def run(self, model: Model) -> bool:
        """Rewrite the model in place; whether anything changed."""
        raise NotImplementedError

    def requires(self, model: Model) -> Iterator[str]:
        """Complaints about a model that this pass cannot take."""
        yield from ()

    def ensures(self, model: Model) -> Iterator[str]:
        """Complaints about a model that this pass should not have left."""
        yield from ()


class Rewriter:
    """Edits on behalf of one pass: each is logged with rule and reason, and stamped into the origins of new nodes."""

    def __init__(self, model: Model, pass_name: str) -> None:
        self.model = model
        self.pass_name = pass_name
        self.changed = False

    def builder(self, node: Node) -> Builder:
        """Makes nodes before `node`, with its origin and this pass in their history."""
        return Builder(home(node), before=node, origin=node.origin.by(self.pass_name))

    def replace(self, node: Node, values: Sequence[Value], rule: str, reason: str) -> None:
        """Let `values` take the place of the node's outputs, and remove it.

        Raises ValueError when a value's type is not certainly that of the output it replaces.
        """
        for old, new in zip(node.outputs, values, strict=True):
            if not types_agree(old.type, new.type):
                raise ValueError(f"{self.pass_name}/{rule} replaces {old.type} by {new.type} at {node!r}")
        self.log(node, rule, reason)
        for old, new in zip(node.outputs, values, strict=True):
            if not new.name and new.kind == "node":
                new.name = old.name
            old.replace_all_uses(new)
        home(node).remove(node)

    def remove(self, node: Node, rule: str, reason: str) -> None:
        """Remove a node that nothing reads."""
        self.log(node, rule, reason)
        home(node).remove(node)

    def log(self, node: Node, rule: str, reason: str) -> None:
        """Record an edit of the node."""
        self.changed = True
        record(Rewrite(self.pass_name, rule, reason, repr(node), node.origin))

    def miss(self, node: Node, rule: str, reason: str) -> None:
        """Record that a rule recognised the node and had to leave it."""
        record(Miss(self.pass_name, rule, reason, repr(node), node.origin))


def home(node: Node) -> Graph:
    """The graph that holds a node; raises ValueError for a node that is in none."""
    if node.graph is None:
        raise ValueError(f"{node!r} is in no graph")
    return node.graph
