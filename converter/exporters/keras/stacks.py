"""Recurrent ops as Keras has them: one layer a node, dropout between layers, a bias that only adds zeros gone.

What no layer of Keras computes is taken apart into loops. Runs before lowering, on a model of the exporter's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.exporters.base import decompose
from converter.exporters.keras.rules_recurrent import KINDS, layer_reason, two_rows
from ir.core import Builder, Model, Node, Value
from ir.data import Pieces, Weight
from ir.ops.recurrent_parts import Stack


def prepare_stacks(model: Model, loops: bool = False) -> None:
    """Rewrite, in place, the recurrent nodes outside of bodies; with `loops` all of them become loops."""
    nodes = [n for n in model.graph if n.op.name in KINDS]
    fit = [n for n in nodes if not loops and layer_reason(n) is None and _weights_fit(model, n)]
    kept = set(fit)
    for node in nodes:
        if node not in kept:
            decompose(node)
    for node in fit:
        for one in _single_layers(node):
            _drop_zero_biases(model, one)


def stack_of(node: Node) -> Stack:
    """The shape of a node's weights."""
    a = node.attrs
    return Stack(
        node.op.name, KINDS[node.op.name], a["hidden_size"], a["layers"], a["direction"], a["bias"], a["batch_first"]
    )


def _weights_fit(model: Model, node: Node) -> bool:
    """Whether the weights are those of this layer alone, each once, and can be stored as Keras stores them."""
    values: Sequence[Value] = node.operands["weights"]
    if len(set(values)) < len(values) or any(not v.is_weight or v.name in model.state for v in values):
        return False
    for value in values:
        for use in value.uses:
            other = use.user
            if not isinstance(other, Node) or other.op is not node.op or other.attrs != node.attrs:
                return False
            if other.operands["weights"] != values or layer_reason(other) is not None:
                return False
    if node.op.name != "gru":
        return True
    if not all(can_cut(model.weights[v.name]) for v in values):
        return False
    return not two_rows(node) or all(_alike(model, c.b_ih, c.b_hh) for c in stack_of(node).split(values))


def _alike(model: Model, a: Value, b: Value) -> bool:
    """Whether two weights can be rows of one."""
    first, second = model.weights[a.name], model.weights[b.name]
    return (first.kind, first.trainable) == (second.kind, second.trainable)


def can_cut(weight: Weight) -> bool:
    """Whether equal pieces of the first axis can be put in another order, and the record still tells where they came from."""
    axis = 0 if weight.source_axes is None else weight.source_axes[0]
    before = weight.source_pieces
    return weight.source_blocks is None and (before is None or (before.axis == axis and len(before.order) == 3))


def cut(weight: Weight, order: tuple[int, ...]) -> Weight:
    """The weight with the equal pieces of its first axis in another order, when read; see `can_cut`."""
    axis = 0 if weight.source_axes is None else weight.source_axes[0]
    before = weight.source_pieces or Pieces(None, axis, tuple(range(len(order))))
    whole = Pieces(before.row, axis, tuple(before.order[i] for i in order))
    kept = None if whole.row is None and whole.order == tuple(range(len(order))) else whole
    data = weight.data.mapped_by(Pieces(None, 0, order).of, weight.type)
    return Weight(
        weight.name, data, weight.kind, weight.trainable, weight.aliases, weight.persistent, weight.source_name,
        weight.source_axes, None, kept,
    )  # fmt: skip


# -- several layers ------------------------------------------------------------------------------------------------------
def _single_layers(node: Node) -> list[Node]:
    """Replace a stack by a node for each layer, batch first, with dropout between them; a single layer stays."""
    a = node.attrs
    if a["layers"] == 1:
        return [node]
    assert node.graph is not None
    made: list[Node] = []
    b = Builder(node.graph, before=node, origin=node.origin.by("stacks"))
    b.on_node = made.append
    x = node.operand("x") if a["batch_first"] else b.transpose(node.operand("x"), perm=(1, 0, 2))
    keys = ("initial_h", "initial_c")[: len(node.outputs) - 1]
    ends: list[list[Value]] = [[] for _ in keys]
    each = len(node.operands["weights"]) // a["layers"]
    for layer in range(a["layers"]):
        if layer and a["dropout"]:
            x = b.dropout(x, p=a["dropout"], frozen=a["frozen"])
        weights = node.operands["weights"][layer * each : (layer + 1) * each]
        states = {key: _part(b, node, key, layer) for key in keys}
        settings = {**a, "layers": 1, "dropout": 0.0, "batch_first": True}
        x, *last = b.op(node.op, x, **states, lengths=node.operands["lengths"], weights=weights, **settings)
        for column, value in zip(ends, last, strict=True):
            column.append(value)
    out = x if a["batch_first"] else b.transpose(x, perm=(1, 0, 2))
    node.outputs[0].replace_all_uses(out)
    for old, parts in zip(node.outputs[1:], ends, strict=True):
        _hand_on(b, old, parts)
    node.graph.remove(node)
    return [n for n in made if n.op is node.op]


def _part(b: Builder, node: Node, key: str, layer: int) -> Value | None:
    """The initial states of one layer."""
    whole = node.operands[key]
    if whole is None:
        return None
    count = len(stack_of(node).reversals)
    part: Value = b.stack([b.select(whole, axis=0, index=layer * count + i) for i in range(count)], axis=0)
    return part


def _hand_on(b: Builder, old: Value, parts: list[Value]) -> None:
    """Final states of all layers, each read from its own layer where only that is read."""
    count = int(parts[0].type.shape[0])
    for user in old.users:
        index = user.attrs.get("index")
        if user.op.name == "select" and user.attrs["axis"] == 0 and isinstance(index, int):
            index %= count * len(parts)
            with b.at(user.origin):
                user.output.replace_all_uses(b.select(parts[index // count], axis=0, index=index % count))
            assert user.graph is not None
            user.graph.remove(user)
    if old.uses:
        old.replace_all_uses(b.concat(parts, axis=0))


# -- biases ----------------------------------------------------------------------------------------------------------
def _drop_zero_biases(model: Model, node: Node) -> None:
    """A second bias of zeros that never trains is a constant: Keras' layers have one bias where two would be added."""
    if not node.attrs["bias"] or two_rows(node):
        return
    weights: list[Any] = list(node.operands["weights"])
    for place, value in enumerate(weights):
        if place % 4 != 3 or not value.is_weight:
            continue
        record = model.weights[value.name]
        if record.trainable is True and record.kind == "parameter" or np.any(record.data.numpy()):
            continue
        zeros = np.zeros([int(d) for d in record.type.shape], record.type.dtype.numpy)
        weights[place] = Builder(model.graph, before=node, origin=node.origin).constant(zeros)
        node.set_operand("weights", tuple(weights))
        if not value.uses:
            model.remove_weight(value.name)


__all__ = ["can_cut", "cut", "prepare_stacks", "stack_of"]
