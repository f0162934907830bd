"""Batch norms whose running variance is that of the batch, told by what they compute in training.

PyTorch moves the running variance by the corrected one. Code that takes the correction back computes
`kept + (moved - kept) * (n - 1) / n` of it, `kept` being the old variance times (1 - momentum) and n the number of values
of a channel: just what `batch_norm` with `unbiased=False` gives.
"""

from __future__ import annotations

import math

import numpy as np

from ir.core import Model, Node, Value
from ir.types import DimExpr


def uncorrect(training: Model, inference: Model) -> None:
    """Rewrite such batch norms, in place, in the model of training, and in that of inference those of the same variance
    (there it makes no difference). Counters of batches that only count go from the training."""
    found: set[str] = set()
    for node in list(training.graph):
        if node.op.name == "batch_norm" and node.attrs["unbiased"] and (name := _uncorrected(training, node)):
            found.add(name)
    if not found:
        return
    for node in inference.graph:
        if node.op.name == "batch_norm" and node.operand("var").name in found:
            node.attrs["unbiased"] = False
    _sweep(training)


def _uncorrected(model: Model, node: Node) -> str | None:
    """Rewrite one node; returns the name of its running variance, or None where it is another."""
    var, moved = node.operand("var"), node.outputs[2]
    name = next((n for n, v in model.state.items() if v.producer is not None and _takes_back(v.producer, node)), None)
    if not var.is_weight or name != var.name or len(moved.uses) != 1:
        return None
    total = model.state[name]
    if len(total.uses) != 1:
        return None
    node.attrs["unbiased"] = False
    model.set_state(name, moved)
    prefix = name.rpartition(".")[0]
    _drop_counter(model, f"{prefix}.num_batches_tracked" if prefix else "num_batches_tracked")
    return name


def _takes_back(total: Node, node: Node) -> bool:
    """Whether `total` is kept + (moved - kept) * (n - 1) / n of the third result of a batch norm."""
    if total.op.name != "add":
        return False
    for kept, share in _orders(total):
        if share.producer is None or share.producer.op.name != "mul" or not _is_kept(kept, node):
            continue
        for moved, factor in _orders(share.producer):
            minus = moved.producer
            if minus is None or minus.op.name != "sub" or minus.operand("x") is not node.outputs[2]:
                continue
            if _is_kept(minus.operand("y"), node) and _is_share(factor, node.operand("x")):
                return True
    return False


def _orders(node: Node) -> list[tuple[Value, Value]]:
    x, y = node.operand("x"), node.operand("y")
    return [(x, y), (y, x)]


def _is_kept(value: Value, node: Node) -> bool:
    """The running variance times (1 - momentum)."""
    made = value.producer
    if made is None or made.op.name != "mul":
        return False
    rest = 1 - node.attrs["momentum"]
    return any(x is node.operand("var") and _is_number(y, rest) for x, y in _orders(made))


def _is_number(value: Value, wanted: float) -> bool:
    """Whether a value is a number as its element type rounds it."""
    made = value.producer
    if made is not None and made.op.name == "cast" and made.operand("x").type.dtype.is_float:
        return _is_number(made.operand("x"), wanted)
    if made is None or made.op.name != "constant" or value.type.shape:
        return False
    return bool(made.attrs["value"].value == np.asarray(wanted).astype(value.type.dtype.numpy))


def _is_share(value: Value, x: Value) -> bool:
    """Whether a value is (n - 1) / n, n being the number of values of each channel on axis 1 of `x`."""
    count = math.prod(d for i, d in enumerate(x.type.shape) if i != 1)
    if not isinstance(count, DimExpr):
        return count > 1 and _is_number(value, (count - 1) / count)
    made = value.producer
    while made is not None and made.op.name == "cast":
        made = made.operand("x").producer
    if made is None or made.op.name != "div" or not made.output.type.dtype.is_float:
        return False
    return _is_size(made.operand("x"), count - 1) and _is_size(made.operand("y"), count)


def _is_size(value: Value, size: object) -> bool:
    made = value.producer
    while made is not None and made.op.name == "cast":
        made = made.operand("x").producer
    return made is not None and made.op.name == "dim" and made.attrs["size"] == size


def _drop_counter(model: Model, name: str) -> None:
    """A layer counts its batches by itself, where nobody else reads the counter."""
    after = model.state.get(name)
    if after is None or after.producer is None:
        return
    value = model.weight_value(name)
    made = after.producer
    alone = len(value.uses) == 1 and value.users == (made,) and len(after.uses) == 1
    if alone and made.op.name == "add" and any(x is value and _is_number(y, 1) for x, y in _orders(made)):
        model.set_state(name, None)


def _sweep(model: Model) -> None:
    """Remove what nobody reads any more, so that it is no part of the training."""
    for node in reversed(list(model.graph)):
        if not node.op.random and not any(v.uses for v in node.outputs):
            model.graph.remove(node)


__all__ = ["uncorrect"]
