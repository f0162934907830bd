"""Ops of which nothing comes, and at which kernels stop where the result is known to be empty."""

from __future__ import annotations

from ir.core import Builder, Model, Node
from ir.core.walk import walk

LEADING = {"pool": 1, "fourier": 0}
"""How many leading axes kernels take empty: pooling knows batches of no images, and stops at images without channels."""


def fill_empty(model: Model, *families: str) -> None:
    """Put, in place, an empty tensor where an op of these families gives one by its type."""
    for node in list(walk(model.graph)):
        if node.op.family in families and 0 in node.operand("x").type.shape[LEADING[node.op.family] :]:
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
