"""Structural equality and hashing of attributes, nodes, graphs and models, whatever their values are called.

Everything is encoded as nested tuples of plain values (a *key*); two structures are equal when their keys are. Node
order counts (it is the order of execution); value names, graph names and origins do not. Size symbols compare by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ir.core.graph import Graph, Node, Value
from ir.core.model import Model
from ir.types import DimExpr, DType, Symbol, TensorType
from ir.types.attrs import ArrayAttr

Key = Any  # nested tuples of str, bytes, int, bool and None
WeightKey = Callable[[Value], Key]


def attr_key(value: Any) -> Key:
    """A hashable key that tells attributes apart exactly: 1, 1.0 and True differ, -0.0 and 0.0 differ, NaN is NaN."""
    if isinstance(value, float):
        return ("float", "nan" if value != value else value.hex())
    if isinstance(value, complex):
        return ("complex", attr_key(value.real), attr_key(value.imag))
    if isinstance(value, (tuple, list)):
        return ("tuple", *(attr_key(v) for v in value))
    if isinstance(value, DimExpr):
        return ("dim", _dim_key(value))
    if isinstance(value, ArrayAttr):
        return ("array", value.value.dtype.name, value.value.shape, value.value.tobytes())
    if isinstance(value, DType):
        return ("dtype", value.name)
    if value is None or isinstance(value, (bool, int, str)):
        return (type(value).__name__, value)
    raise TypeError(f"{value!r} is no attribute value")


def _dim_key(dim: Any) -> Key:
    if isinstance(dim, int):
        return dim
    if isinstance(dim, Symbol):
        return (dim.name, dim.opaque)
    if isinstance(dim, DimExpr):
        return tuple((tuple((_dim_key(a), p) for a, p in mono), coef) for mono, coef in dim.terms)
    return (dim.kind, *(_dim_key(a) for a in dim.args))


def type_key(t: TensorType) -> Key:
    """A hashable key of a tensor type."""
    return (t.dtype.name, *(_dim_key(d) for d in t.shape))


def _weight_by_name(value: Value) -> Key:
    return ("weight", value.name)


@dataclass
class Numbering:
    """Numbers values as they are met. `weight` gives the key of a weight value; None numbers weights like any value.

    With `free` the numbering takes in values it has not met (collecting them in that order); without, they raise
    ValueError.
    """

    weight: WeightKey | None = _weight_by_name
    free: bool = False

    def __post_init__(self) -> None:
        self.ids: dict[Value, int] = {}
        self.met: list[Value] = []

    def define(self, value: Value) -> None:
        """Give a value that comes into being here the next number."""
        self.ids[value] = len(self.ids)

    def key(self, value: Value) -> Key:
        """The key of a value that is read."""
        if value.is_weight and self.weight is not None:
            return self.weight(value)
        if value not in self.ids:
            if not self.free:
                raise ValueError(f"{value!r} is read before it is defined")
            self.met.append(value)
            self.define(value)
            return ("free", self.ids[value], type_key(value.type))
        return self.ids[value]

    def operand(self, value: Any) -> Key:
        """The key of an operand: absent, one value, or several."""
        if value is None:
            return None
        return ("values", *(self.key(v) for v in value)) if isinstance(value, tuple) else self.key(value)


def node_key(node: Node, numbering: Numbering) -> Key:
    """The key of a node: op, operands, attributes, bodies and output types; numbers its outputs."""
    operands = tuple(numbering.operand(node.operands.get(s.name)) for s in node.op.operands)
    key = (*_own_key(node), operands, tuple((n, graph_key(b, numbering)) for n, b in sorted(node.bodies.items())))
    for value in node.outputs:
        numbering.define(value)
    return key


def _own_key(node: Node) -> tuple[Key, ...]:
    attrs = tuple((name, attr_key(value)) for name, value in sorted(node.attrs.items()))
    return (node.op.name, attrs, tuple(type_key(v.type) for v in node.outputs))


def graph_key(graph: Graph, numbering: Numbering | None = None) -> Key:
    """The key of a graph; pass a numbering to say how weights and outer values count."""
    numbers = numbering or Numbering()
    for value in graph.inputs:
        numbers.define(value)
    inputs = tuple(type_key(v.type) for v in graph.inputs)
    nodes = tuple(node_key(n, numbers) for n in graph)
    return (inputs, nodes, tuple(numbers.key(v) for v in graph.outputs))


def block_key(nodes: Sequence[Node], results: Iterable[Value] = ()) -> tuple[Key, list[Value]]:
    """The key of a run of nodes and the values it reads from outside, weights included, in order of first use.

    Two blocks with equal keys compute the same function of those values: the n-th value of one stands for the n-th of
    the other. `results` are the values that the surroundings read.
    """
    numbers = Numbering(weight=None, free=True)
    inside = tuple(node_key(n, numbers) for n in nodes)
    return (inside, tuple(numbers.key(v) for v in results)), numbers.met


def graphs_equal(a: Graph, b: Graph) -> bool:
    """Whether both graphs hold the same nodes in the same order; weights count by name."""
    return bool(graph_key(a) == graph_key(b))


def model_key(model: Model, weights: Literal["types", "digests"] = "types") -> Key:
    """The key of a model: signature, graph, state, assumptions and weights (with `digests`, their bytes too)."""
    numbers = Numbering()
    graph = graph_key(model.graph, numbers)
    inputs = tuple(v.name for v in model.graph.inputs)
    records = tuple(
        (
            w.name,
            type_key(w.type),
            w.kind,
            w.trainable,
            w.aliases,
            w.persistent,
            w.source_name,
            w.source_axes,
            w.source_blocks,
            w.source_pieces,
        )
        + ((w.data.digest(),) if weights == "digests" else ())
        for w in sorted(model.weights.values(), key=lambda w: w.name)
    )
    state = tuple((name, numbers.key(value)) for name, value in sorted(model.state.items()))
    assumed = tuple(sorted(repr((_dim_key(a.left), _dim_key(a.right))) for a in model.assumptions))
    return (repr(model.signature), inputs, graph, records, state, assumed)


def models_equal(a: Model, b: Model, weights: Literal["types", "digests"] = "types") -> bool:
    """Whether two models are structurally equal; with `digests` their weights hold the same bytes."""
    return bool(model_key(a, weights) == model_key(b, weights))


def fingerprint(key: Key) -> str:
    """A hash of a key that is the same in every process and on every machine."""
    return hashlib.blake2b(repr(key).encode(), digest_size=16).hexdigest()
