"""Numbers of 64 bits, which JAX has only when it is told so before it starts (JAX_ENABLE_X64=1)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ir.core import Model, Node, Value
from ir.core.walk import walk

_GROWING = {"pow", "shift_left", "reduce_prod", "cumprod", "bitcast"}
"""Ops that leave 32 bits quickly."""
NOTE = (
    "on Keras' JAX backend integers have 32 bits unless JAX_ENABLE_X64=1 is set, on its PyTorch backend products along "
    "an axis and running totals do: int64 is cut there"
)


def has_wide(model: Model) -> bool:
    """Whether any value has 64 bits."""
    return any(v.type.dtype.name in ("float64", "int64") for v in _values(model))


def needs_wide(model: Model) -> bool:
    """Whether the results depend on it: any float64, constants that 32 bits cannot hold, and ops that make such numbers."""
    if any(v.type.dtype.name == "float64" for v in _values(model)):
        return True
    return any(_leaves(node) for node in walk(model.graph))


def _leaves(node: Node) -> bool:
    if not any(v.type.dtype.name == "int64" for v in node.outputs):
        return False
    if node.op.name == "constant":
        array = node.attrs["value"].value
        info = np.iinfo(np.int32)
        return bool(array.size and (array.min() < info.min or array.max() > info.max))
    if node.op.name == "cast":
        return node.operand("x").type.dtype.is_float
    return node.op.name in _GROWING


def _values(model: Model) -> Iterator[Value]:
    yield from model.graph.inputs
    yield from (model.weight_value(n) for n in model.weights)
    for node in walk(model.graph):
        yield from node.outputs
