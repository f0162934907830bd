"""A model: the main graph, its weights and state, and its signature."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ir.core.graph import Graph, Node, Use, Value
from ir.core.signature import Signature
from ir.core.walk import copy_graph, walk
from ir.data.weights import Weight
from ir.types import Assumption, TensorType


class Model:
    """Graph, weights, state and signature.

    `weights[name]` is the record, `weight_value(name)` the value that nodes read. `state[name]` is the next value of
    the weight `name` after one call (batch-norm statistics, recurrent state); a weight without an entry keeps its value.
    """

    def __init__(self, name: str = "model", signature: Signature | None = None) -> None:
        self.name = name
        self.graph = Graph()
        self.signature = signature or Signature()
        self.weights: dict[str, Weight] = {}
        self.state: dict[str, Value] = {}
        self.assumptions: list[Assumption] = []
        self.notes: list[str] = []  # what the conversion could not carry over, in words for the user
        self.metadata: dict[str, Any] = {}  # source framework, versions, fingerprint
        self.modules: dict[str, str] = {}  # dotted module path -> class name, for modules that leave no node
        self._values: dict[str, Value] = {}

    # -- weights ----------------------------------------------------------------------------------------------
    def add_weight(self, weight: Weight) -> Value:
        """Register a weight and return its value; raises ValueError on a taken name."""
        if weight.name in self.weights:
            raise ValueError(f"a weight named {weight.name!r} exists already")
        self.weights[weight.name] = weight
        value = self._values[weight.name] = Value(weight.type, weight.name, kind="weight")
        return value

    def weight_value(self, name: str) -> Value:
        """The value that reads the weight `name`."""
        return self._values[name]

    def weight_of(self, value: Value) -> Weight | None:
        """The record behind a weight value; None for any other value."""
        return self.weights.get(value.name) if value.is_weight else None

    def update_weight(self, name: str, **changes: Any) -> Weight:
        """Change fields of a weight record (data, kind, trainable, aliases); the value's type follows the data."""
        weight = self.weights[name] = replace(self.weights[name], **changes)
        self._values[name].type = weight.type
        return weight

    def rename_weight(self, old: str, new: str) -> None:
        """Give a weight another name, in place in the order."""
        if new in self.weights:
            raise ValueError(f"a weight named {new!r} exists already")
        self.weights = {
            (new if k == old else k): (replace(w, name=new) if k == old else w) for k, w in self.weights.items()
        }
        self._values[new] = self._values.pop(old)
        self._values[new].name = new
        if old in self.state:
            nxt = self.state[old]
            self.set_state(old, None)
            self.set_state(new, nxt)

    def remove_weight(self, name: str) -> None:
        """Remove a weight nothing reads; raises ValueError otherwise."""
        if self._values[name].uses or name in self.state:
            raise ValueError(f"weight {name!r} is still in use")
        del self.weights[name], self._values[name]

    # -- state ------------------------------------------------------------------------------------------------
    def set_state(self, name: str, value: Value | None) -> None:
        """Set the next value of weight `name` (None: it keeps its value)."""
        old = self.state.pop(name, None)
        if old is not None:
            old._uses.pop(Use(self, name), None)
        if value is not None:
            self.state[name] = value
            value._uses[Use(self, name)] = None

    def _replace_use(self, use: Use, other: Value) -> None:
        self.set_state(use.key, other)

    # -- convenience ------------------------------------------------------------------------------------------
    @property
    def inputs(self) -> tuple[Value, ...]:
        return tuple(self.graph.inputs)

    @property
    def outputs(self) -> tuple[Value, ...]:
        return self.graph.outputs

    @property
    def input_types(self) -> dict[str, TensorType]:
        """Flat input name -> type, in signature order."""
        return {v.name: v.type for v in self.graph.inputs}

    @property
    def output_types(self) -> dict[str, TensorType]:
        """Flat output name -> type, in signature order."""
        return dict(zip(self.signature.output_names, (v.type for v in self.graph.outputs), strict=True))

    def parameters(self) -> Iterable[Weight]:
        """The learned weights, each once, in registration order."""
        return (w for w in self.weights.values() if w.kind == "parameter")

    def nodes(self) -> Iterable[Node]:
        """Every node, bodies included, outer before inner."""
        return walk(self.graph)

    def __repr__(self) -> str:
        return f"<Model {self.name}: {len(self.graph)} nodes, {len(self.weights)} weights>"


def copy_model(model: Model) -> Model:
    """An independent copy; weight bytes are shared."""
    twin = Model(model.name, model.signature)
    twin.metadata, twin.notes, twin.assumptions = dict(model.metadata), list(model.notes), list(model.assumptions)
    twin.modules = dict(model.modules)
    mapping: dict[Value, Value] = {model.weight_value(n): twin.add_weight(w) for n, w in model.weights.items()}
    for value in model.graph.inputs:
        mapping[value] = twin.graph.add_input(value.type, value.name)
    copy_graph(model.graph, twin.graph, mapping)
    for name, value in model.state.items():
        twin.set_state(name, mapping[value])
    return twin
