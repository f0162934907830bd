"""Pooling of which nothing comes. Kernels know batches of no images, and stop at images without channels."""

from __future__ import annotations

from ir.core import Builder, Model, Node
from ir.core.walk import walk


def fill_empty(model: Model) -> None:
    """Put, in place, an empty tensor where the pooling of empty images gives one by its type."""
    for node in list(walk(model.graph)):
        if node.op.family == "pool" and 0 in node.operand("x").type.shape[1:]:
            if all(0 in v.type.shape for v in node.outputs):
                _replace(node)


def _replace(node: Node) -> None:
    assert node.graph is not None
    b = Builder(node.graph, before=node, origin=node.origin)
    for old in node.outputs:
        new = b.full(shape=old.type.shape, value=0, dtype=old.type.dtype)
        new.name = old.name
        old.replace_all_uses(new)
    node.graph.remove(node)
