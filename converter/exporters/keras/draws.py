"""Draws inside branches of the mode are made before them, where a class can hold their generator."""

from __future__ import annotations

from ir.core import Builder, Model, Node
from ir.types import symbols

DRAWS = frozenset({"random_uniform", "random_normal"})


def hoist_draws(model: Model) -> None:
    """Rewrite, in place, the branches of the main graph. Inference draws as well, and reads nothing of it."""
    for node in list(model.graph):
        if node.op.name != "by_mode":
            continue
        for body in node.bodies.values():
            for inner in list(body):
                if inner.op.name in DRAWS and not _local(inner):
                    _hoist(node, inner)


def _local(draw: Node) -> bool:
    """Whether a size of the draw may be known in the branch only."""
    return any(s.opaque for d in draw.attrs["shape"] for s in symbols(d))


def _hoist(node: Node, draw: Node) -> None:
    assert node.graph is not None and draw.graph is not None
    b = Builder(node.graph, before=node, origin=draw.origin)
    drawn = b.op(draw.op, **draw.attrs)
    node.set_operand("captures", (*node.operands["captures"], drawn))
    for body in node.bodies.values():
        given = body.add_input(drawn.type, "drawn")
        if body is draw.graph:
            draw.output.replace_all_uses(given)
    draw.graph.remove(draw)


__all__ = ["hoist_draws"]
