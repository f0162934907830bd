"""Subgraphs as closed bodies: captured tensors become operands, carried tensors may change their sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from converter.importers.base import Refusal
from converter.importers.onnx.order import free_names
from converter.importers.partial import bodies as shared
from converter.importers.partial.bodies import everywhere
from converter.importers.partial.values import Ref
from converter.importers.partial.values import Sequence as SequenceRef
from ir.core import Builder, Graph, Value
from ir.types import TensorType

if TYPE_CHECKING:
    import onnx

    from converter.importers.onnx.context import OnnxContext
    from converter.importers.onnx.graph import Frame


@dataclass
class Captures:
    """What subgraphs read from outside: `shared` are known or stored tensors, readable everywhere; `operands` are not."""

    shared: dict[str, Ref | None] = field(default_factory=dict)
    operands: dict[str, Value] = field(default_factory=dict)

    @property
    def values(self) -> tuple[Value, ...]:
        """The operands to give, in order."""
        return tuple(self.operands.values())


def capture(c: OnnxContext, graphs: Iterable[onnx.GraphProto]) -> Captures:
    """Outer names that the graphs read, at any depth."""
    found = Captures()
    for name in dict.fromkeys(n for g in graphs for n in free_names(g)):
        ref = c.frame.find(name)
        if isinstance(ref, SequenceRef):
            c.refuse(f"its graph reads the sequence {name!r}")
        if ref is None or everywhere(ref):
            found.shared[name] = ref
        else:
            found.operands[name] = c.value(ref)
    return found


@dataclass
class Body:
    """An imported subgraph: the graph built, its inputs' references in ONNX's order, and its outputs' references."""

    graph: Graph
    frame: Frame
    inputs: list[Ref]
    outputs: list[Ref]

    def close(self, c: OnnxContext, refs: Sequence[Ref]) -> None:
        """Make references the graph's outputs."""
        self.graph.set_outputs([c.importer.value(r, self.frame) for r in refs])


def import_body(c: OnnxContext, proto: onnx.GraphProto, types: Sequence[TensorType], captures: Captures) -> Body:
    """The subgraph with inputs of these types, then the captured operands. Raises Refusal when anything in it is refused."""
    graph = Graph(proto.name or "body")
    frame = c.frame.body(Builder(graph, origin=c.b.origin))
    if len(types) != len(proto.input):
        raise Refusal(f"its graph {proto.name!r} has {len(proto.input)} inputs for {len(types)} values")
    inputs = []
    for info, type in zip(proto.input, types, strict=True):
        value = graph.add_input(type, info.name)
        frame.names[info.name] = ref = Ref(type, value)
        inputs.append(ref)
    for name, outer in captures.operands.items():
        value = graph.add_input(outer.type, name)
        frame.names[name] = Ref(outer.type, value)
    frame.names.update(captures.shared)
    outputs = [r for r in c.importer.branch(proto, frame) if r is not None]
    if len(outputs) != len(proto.output):
        raise Refusal(f"its graph {proto.name!r} returns an absent value")
    if any(isinstance(r, SequenceRef) for r in outputs):
        raise Refusal(f"its graph {proto.name!r} returns a sequence")
    return Body(graph, frame, inputs, outputs)


def settle(
    c: OnnxContext,
    proto: onnx.GraphProto,
    types: Sequence[TensorType],
    carried: range,
    results: range,
    captures: Captures,
) -> Body:
    """The body of a loop. `carried` and `results` are places of the carried values among its inputs and outputs.

    An axis of a carried value that a trip changes gets a size symbol of its own in the body's input, found by trying.
    """
    return shared.settle(c.importer, types, carried, results, lambda tried: import_body(c, proto, tried, captures))


def with_symbols(c: OnnxContext, make: Callable[[tuple[str, ...]], tuple[Value, ...]]) -> tuple[Value, ...]:
    """Make a node with as many names for sizes known only inside its bodies as it turns out to need."""
    return shared.with_symbols(c.importer, make)
