"""Which nodes of a training graph are which nodes of the inference graph.

Any pairing of nodes in order gives a right merge: where operands differ, the pair reads a choice between them. A good
pairing keeps the choices few. Nodes pair when op, module path, attributes and types agree; attributes that only training
reads may differ. Constants are not paired: equal ones are the same value wherever they stand.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

from ir.core.equal import attr_key, type_key
from ir.core.graph import Graph, Node, Value

TRAINING_ONLY = {
    "dropout": ("p", "broadcast_axes", "frozen", "always"), "attention": ("dropout", "frozen"),
    "lstm": ("dropout", "frozen"), "gru": ("dropout", "frozen"), "rnn": ("dropout", "frozen"),
    "batch_norm": ("momentum", "unbiased", "frozen"),
}  # fmt: skip
"""Attributes of modal ops that inference does not read (`always` is judged apart)."""


def calls(graph: Graph) -> list[Node]:
    """The nodes that can be paired, in order."""
    return [n for n in graph if n.op.name != "constant"]


def pairs(inference: Graph, training: Graph) -> Iterator[tuple[Node, Node]]:
    """Nodes that stand for each other, in the order of both graphs."""
    ours, theirs = calls(inference), calls(training)
    matcher = difflib.SequenceMatcher(None, [_key(n) for n in ours], [_key(n) for n in theirs], autojunk=False)
    for i, j, size in matcher.get_matching_blocks():
        for a, b in zip(ours[i : i + size], theirs[j : j + size], strict=True):
            if settings(a, b) is not None:
                yield a, b


def _key(node: Node) -> Hashable:
    ignored = TRAINING_ONLY.get(node.op.name, ())
    attrs = tuple((k, attr_key(v)) for k, v in sorted(node.attrs.items()) if k not in ignored)
    given = tuple(len(v) if isinstance(v, tuple) else v is not None for v in node.operands.values())
    bodies = tuple(tuple(type_key(v.type) for v in b.inputs) for b in node.bodies.values())
    types = tuple(type_key(v.type) for v in (*node.inputs, *node.outputs))
    return node.op.name, node.origin.path, attrs, given, bodies, types


def settings(inference: Node, training: Node) -> Mapping[str, Any] | None:
    """The attributes of a node that behaves as the one in inference and as the other in training; None if there is no
    such node."""
    mine, theirs = inference.attrs, training.attrs
    if not mine.get("always"):
        return theirs if not theirs.get("always") else None
    same = all(mine[k] == theirs[k] for k in ("p", "broadcast_axes"))
    return mine if same and not theirs["frozen"] else None


def token(value: Value, paired: Mapping[Value, Value], weights: Mapping[str, str] | None = None) -> Hashable:
    """What a value is, across both graphs. `paired` leads from values of the training graph to their counterparts."""
    if value.is_weight:
        return "weight", (weights or {}).get(value.name, value.name)
    if value.producer is not None and value.producer.op.name == "constant":
        return "constant", attr_key(value.producer.attrs["value"])
    return paired.get(value, value)


def operand_pairs(inference: Node, training: Node) -> Iterator[tuple[str, int | None, Value, Value]]:
    """(operand, position or None, value in inference, value in training) of a pair's operands."""
    for name, mine in inference.operands.items():
        theirs = training.operands[name]
        if isinstance(mine, tuple):
            yield from ((name, i, a, b) for i, (a, b) in enumerate(zip(mine, theirs, strict=True)))
        elif mine is not None:
            yield name, None, mine, theirs


def reads(nodes: Iterable[Node]) -> Iterator[tuple[Node, Value]]:
    """Every operand of the nodes. Bodies are closed: what they read are operands and weights."""
    for node in nodes:
        yield from ((node, v) for v in node.inputs)
