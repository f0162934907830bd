"""Indices of type uint64 as int64, which is what targets count in: those beyond it are out of range and stay so."""

from __future__ import annotations

import numpy as np

from ir.core import Builder, Model, Node, Value
from ir.core.walk import walk
from ir.types import dtypes, normalize_axis

_OPERANDS = ("indices", "ids", "starts")
_LAST = 2**63 - 1


def limit_indices(model: Model) -> None:
    """Rewrite, in place, every index of type uint64; `wrap` counts on beyond int64, all else takes its last number."""
    for node in list(walk(model.graph)):
        for name in _OPERANDS:
            given = node.operands.get(name)
            if isinstance(given, tuple):
                node.set_operand(name, tuple(_limited(node, v) for v in given))
            elif given is not None:
                node.set_operand(name, _limited(node, given))


def _limited(node: Node, indices: Value) -> Value:
    if indices.type.dtype != dtypes.uint64:
        return indices
    assert node.graph is not None
    b = Builder(node.graph, before=node, origin=node.origin)
    low = b.cast(indices, to=dtypes.int64)  # less by 2**64 where that is negative
    beyond = b.less(low, 0)
    if node.attrs.get("bounds") != "wrap":
        return b.where(beyond, _LAST, low)
    size = _sizes(b, node)
    half = b.mod(b.constant(2**32, dtypes.int64), size)
    rest = b.where(beyond, b.mod(b.mul(half, half), size), 0)
    return b.mod(b.add(b.mod(low, size), rest), size)


def _sizes(b: Builder, node: Node) -> Value:
    """int64: the size of the axis that each index is into; a vector for index vectors."""
    shape, a = node.operand("data").type.shape, node.attrs
    if not node.op.name.endswith("_nd"):
        return b.dim(size=shape[normalize_axis(a["axis"], len(shape))])
    first, depth = a.get("batch_dims", 0), int(node.operand("indices").type.shape[-1])
    sizes = shape[first : first + depth]
    if all(isinstance(d, int) for d in sizes):
        return b.constant(np.array(sizes, np.int64))
    return b.stack([b.dim(size=d) for d in sizes], axis=0)
