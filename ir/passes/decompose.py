"""Replaces ops that a target lacks by smaller ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from ir.core.builder import Builder
from ir.core.graph import Node, Value
from ir.core.model import Model
from ir.core.walk import walk
from ir.passes.base import Pass, Rewriter, home
from ir.verify import types_agree

_REFUSALS = (TypeError, ValueError, NotImplementedError)
_DEPTH = 30  # an op may decompose into itself with simpler attributes, but not for ever
Wanted = Callable[[Node], bool]


@dataclass(frozen=True)
class Decompose(Pass):
    """Replaces every node that `supported` refuses by its op's decomposition, and the new nodes likewise.

    A node without a decomposition stays; `missing(model)` names those. New nodes keep the origin of the old.
    """

    supported: Wanted = field(compare=False)
    name: ClassVar[str] = "decompose"
    after: ClassVar[tuple[str, ...]] = ("simplify",)

    def run(self, model: Model) -> bool:
        rewriter = Rewriter(model, self.name)
        for node in walk(model.graph):
            if node.graph is not None:
                self._replace(node, rewriter, ())
        return rewriter.changed

    def missing(self, model: Model) -> Iterator[Node]:
        """The nodes that the target lacks, as the model stands."""
        return (n for n in walk(model.graph) if not self.supported(n))

    def _replace(self, node: Node, rewriter: Rewriter, inside: tuple[str, ...]) -> None:
        if self.supported(node):
            return
        name = node.op.name
        if node.op.decompose is None:
            return rewriter.miss(node, name, "it has no decomposition")
        if len(inside) > _DEPTH:
            raise ValueError(f"the decomposition of {inside[0]} does not end: {' -> '.join(inside)}")
        made: list[Node] = []
        try:
            values = decompose_node(node, rewriter.builder(node), made)
        except _REFUSALS as error:
            return rewriter.miss(node, name, f"its decomposition does not apply: {error}")
        if not all(types_agree(old.type, new.type) for old, new in zip(node.outputs, values, strict=True)):
            undo(made)
            return rewriter.miss(node, name, "the sizes of its decomposition are not shown to be its own")
        rewriter.replace(node, values, name, "the target lacks it")
        for new in [n for m in made for n in (m, *(x for body in m.bodies.values() for x in walk(body)))]:
            if new.graph is not None:
                self._replace(new, rewriter, (*inside, name))


def decompose_node(node: Node, b: Builder, made: list[Node] | None = None) -> tuple[Value, ...]:
    """Build the op's decomposition of `node` with `b` and return the values that replace its outputs.

    `made` collects the new nodes. Raises what the decomposition raises (TypeError, ValueError, NotImplementedError)
    and ValueError where the op has none; what had been built by then is removed again.
    """
    if node.op.decompose is None:
        raise ValueError(f"{node.op.name} has no decomposition")
    new: list[Node] = [] if made is None else made
    b.on_node = new.append
    try:
        result = node.op.decompose(b, **node.operands, **node.attrs, **node.bodies)
    except _REFUSALS:
        undo(new)
        raise
    return result if isinstance(result, tuple) else (result,)


def undo(made: list[Node]) -> None:
    """Remove nodes that were made, the last one first."""
    for node in reversed(made):
        home(node).remove(node)
    made.clear()
