"""The invariants of a model, each with a code. `verify` lists what is broken, `check` raises on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ir.core.binding import bindable_symbols, read_symbols, value_symbols
from ir.core.graph import Graph, Node, Use, Value
from ir.core.model import Model
from ir.core.walk import graphs
from ir.ops import registry
from ir.ops.define import OperandSpec
from ir.types import Assumption, Dim, TensorType, same, substitute, symbols
from ir.types.attrs import coerce
from ir.types.dim import DimExpr, recording_assumptions

CODES = {
    "IR001": "an operand, output or state entry is missing from the use list of the value it reads",
    "IR002": "a value lists a reader that does not read it",
    "IR003": "a value is read before the node that makes it has run, or that node is in no graph",
    "IR004": "a body reads a value of another graph (only weights may cross)",
    "IR005": "an operand is missing, unknown, or of the wrong arity",
    "IR006": "an attribute is missing, unknown or of the wrong type",
    "IR007": "a body is missing, unknown, or not linked to its node",
    "IR008": "a declared type disagrees with the op's inference, or the op does not apply",
    "IR009": "links between a node, its outputs and its graph are broken",
    "IR010": "links between a graph and its inputs are broken",
    "IR011": "the signature's leaves are not the graph's inputs and outputs",
    "IR012": "an input has no name, or shares it",
    "IR013": "a weight value is read that the model does not hold",
    "IR014": "a weight's value and its record disagree about the type",
    "IR015": "a weight's name is empty, shared, or not that of its record",
    "IR016": "a state entry names no weight, or a constant",
    "IR017": "a state's next value has another type than its weight, or is not of the main graph",
    "IR018": "a size symbol is read before anything binds it",
    "IR019": "a node's op is not the registered one of its name",
    "IR020": "a size symbol is opaque in one place and not in another",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken invariant: its code, what is wrong, and where."""

    code: str
    message: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.code} {self.message}" + (f" [{self.where}]" if self.where else "")


class InvalidModel(ValueError):
    """A model breaks invariants of the IR; `violations` lists them."""

    def __init__(self, violations: list[Violation], context: str = "") -> None:
        head = f"{context}: " if context else ""
        super().__init__(head + "\n".join(str(v) for v in violations))
        self.violations = violations


def verify(model: Model) -> list[Violation]:
    """Every broken invariant, in a fixed order; empty for a sound model."""
    return [v for test in _CHECKS for v in test(model)]


def check(model: Model, context: str = "") -> None:
    """Raise InvalidModel, its message starting with `context`, unless the model is sound."""
    found = verify(model)
    if found:
        raise InvalidModel(found, context)


def _at(node: Node) -> str:
    return f"{node!r}, {node.origin}"


def _nodes(model: Model) -> Iterator[Node]:
    return (n for g in graphs(model.graph) for n in g)


# -- structure ------------------------------------------------------------------------------------------------------
def _links(model: Model) -> Iterator[Violation]:
    for graph in graphs(model.graph):
        for i, value in enumerate(graph.inputs):
            if value.kind != "input" or value.graph is not graph or value.index != i:
                yield Violation("IR010", f"input {i} ({value.name!r}) of graph {graph.name} is not linked to it")
        if sum(1 for _ in graph) != len(graph):
            yield Violation("IR009", f"graph {graph.name} counts {len(graph)} nodes, but its list holds another number")
        for node in graph:
            if node.graph is not graph:
                yield Violation("IR009", "the node is not linked to the graph that holds it", _at(node))
            for i, value in enumerate(node.outputs):
                if value.kind != "node" or value.producer is not node or value.index != i:
                    yield Violation("IR009", f"output {i} is not linked to its node", _at(node))


def _uses(model: Model) -> Iterator[Violation]:
    for use, value in _reads(model):
        if use not in value._uses:
            yield Violation("IR001", f"{value!r} does not list the reader {_reader(use)}")
    live = set(_nodes(model)) | set(graphs(model.graph)) | {model}
    for value in _values(model):
        for use in value.uses:
            if use.user not in live or _read_by(use) is not value:
                yield Violation("IR002", f"{value!r} lists the reader {_reader(use)}, which does not read it")


def _reads(model: Model) -> Iterator[tuple[Use, Value]]:
    for graph in graphs(model.graph):
        for node in graph:
            for name in node.operands:
                yield from node._uses_of(name)
        yield from ((Use(graph, "output", i), v) for i, v in enumerate(graph.outputs))
    yield from ((Use(model, name), v) for name, v in model.state.items())


def _values(model: Model) -> Iterator[Value]:
    for graph in graphs(model.graph):
        yield from graph.inputs
        for node in graph:
            yield from node.outputs
    yield from (model.weight_value(n) for n in model.weights if n in model._values)


def _read_by(use: Use) -> Value | None:
    """The value at the place that a use names; None where there is no such place."""
    user: Any = use.user
    found: Any
    if isinstance(user, Node):
        found = user.operands.get(use.key)
    else:
        found = user.outputs if isinstance(user, Graph) else user.state.get(use.key)
    if isinstance(found, tuple):
        return found[use.index] if use.index is not None and use.index < len(found) else None
    return found if use.index is None else None


def _reader(use: Use) -> str:
    place = use.key if use.index is None else f"{use.key}[{use.index}]"
    return f"{place} of {use.user!r}"


def _scopes(model: Model) -> Iterator[Violation]:
    for graph in graphs(model.graph):
        ready: set[Value] = set(graph.inputs)
        for node in graph:
            for value in node.inputs:
                yield from _readable(model, graph, value, ready, _at(node))
            ready.update(node.outputs)
        for value in graph.outputs:
            yield from _readable(model, graph, value, ready, f"output of graph {graph.name}")


def _readable(model: Model, graph: Graph, value: Value, ready: set[Value], where: str) -> Iterator[Violation]:
    if value.is_weight:
        if model._values.get(value.name) is not value:
            yield Violation("IR013", f"weight {value.name!r} is not one of the model's", where)
        return
    if value in ready:
        return
    home = value.producer.graph if value.producer is not None else value.graph
    if home is None or home is graph:
        yield Violation("IR003", f"{value!r} is read before it is made", where)
    else:
        yield Violation("IR004", f"{value!r} belongs to graph {home.name}", where)


# -- nodes ----------------------------------------------------------------------------------------------------------
def _definitions(model: Model) -> Iterator[Violation]:
    known = {o.name: o for o in registry.all_ops()}
    for node in _nodes(model):
        if known.get(node.op.name) is not node.op:
            yield Violation("IR019", f"op {node.op.name!r} is not the registered one", _at(node))
        yield from _operands(node)
        yield from _attributes(node)
        yield from _bodies(node)


def _operands(node: Node) -> Iterator[Violation]:
    for name in sorted(set(node.operands) - {s.name for s in node.op.operands}):
        yield Violation("IR005", f"{node.op.name} has no operand {name!r}", _at(node))
    for spec in node.op.operands:
        if spec.name not in node.operands or not _arity_fits(spec, node.operands[spec.name]):
            yield Violation("IR005", f"operand {spec.name} of {node.op.name} must be {spec.mode}", _at(node))


def _arity_fits(spec: OperandSpec, value: Any) -> bool:
    if spec.mode == "variadic":
        return isinstance(value, tuple) and all(isinstance(v, Value) for v in value)
    return isinstance(value, Value) or (value is None and spec.mode == "optional")


def _attributes(node: Node) -> Iterator[Violation]:
    specs = {a.name: a for a in node.op.attributes}
    for name in sorted(set(node.attrs) ^ set(specs)):
        trouble = "is missing" if name in specs else "is unknown"
        yield Violation("IR006", f"attribute {name} of {node.op.name} {trouble}", _at(node))
    for name in node.attrs.keys() & specs.keys():
        value = node.attrs[name]
        try:
            fits = type(coerce(value, specs[name].annotation, name)) is type(value)
        except TypeError:
            fits = False
        if not fits:
            yield Violation("IR006", f"attribute {name} of {node.op.name} may not be {value!r}", _at(node))


def _bodies(node: Node) -> Iterator[Violation]:
    for name in sorted(set(node.bodies) ^ set(node.op.bodies)):
        yield Violation("IR007", f"body {name} of {node.op.name} is missing or unknown", _at(node))
    for name, body in node.bodies.items():
        if body.parent is not node:
            yield Violation("IR007", f"body {name} of {node.op.name} is not linked to its node", _at(node))


# -- types ----------------------------------------------------------------------------------------------------------
_REFUSALS = (TypeError, ValueError, KeyError, IndexError, AttributeError, ZeroDivisionError)


def _types(model: Model) -> Iterator[Violation]:
    equalities = _equalities(model.assumptions)
    for node in _nodes(model):
        try:
            with recording_assumptions():  # those of a check are not the model's
                inferred = infer_node(node)
        except _REFUSALS as error:
            yield Violation("IR008", f"{node.op.name} does not apply: {error}", _at(node))
            continue
        if len(inferred) != len(node.outputs):
            yield Violation("IR008", f"{len(node.outputs)} outputs declared, {len(inferred)} inferred", _at(node))
        for value, t in zip(node.outputs, inferred):
            if not types_agree(value.type, t, equalities):
                yield Violation("IR008", f"declared {value.type}, inferred {t}", _at(node))


def infer_node(node: Node) -> tuple[TensorType, ...]:
    """The output types that the op infers from the node as it stands; raises what the op's inference raises."""
    given = {
        k: tuple(v.type for v in x) if isinstance(x, tuple) else x.type
        for k, x in node.operands.items()
        if x is not None
    }
    return node.op.infer_types(given, node.attrs, node.bodies)


def _equalities(assumptions: list[Assumption]) -> dict[str, Dim]:
    """Assumptions about bare symbols, as substitutions."""
    found: dict[str, Dim] = {}
    for a in assumptions:
        left, right = substitute(a.left, found), substitute(a.right, found)
        if not (isinstance(left, DimExpr) and left.is_symbol):
            left, right = right, left
        if isinstance(left, DimExpr) and left.is_symbol and left.symbol not in set(symbols(right)):
            one = {left.symbol.name: right}
            found = {k: substitute(v, one) for k, v in found.items()} | one
    return found


def types_agree(declared: TensorType, inferred: TensorType, equalities: dict[str, Dim] | None = None) -> bool:
    """Whether two types are the same, sizes certainly equal or equal under the substitutions `equalities`."""
    if declared.dtype != inferred.dtype or declared.rank != inferred.rank:
        return False
    known = equalities or {}
    return all(
        same(a, b) or same(substitute(a, known), substitute(b, known))
        for a, b in zip(declared.shape, inferred.shape, strict=True)
    )


# -- symbols --------------------------------------------------------------------------------------------------------
def _symbols(model: Model) -> Iterator[Violation]:
    yield from _bound(model.graph, value_symbols(model.graph.inputs))
    kinds: dict[str, bool] = {}
    for value in _values(model):
        for s in (s for d in value.type.shape for s in symbols(d)):
            if kinds.setdefault(s.name, s.opaque) != s.opaque:
                yield Violation("IR020", f"size symbol {s.name!r} in {value!r}")


def _bound(graph: Graph, outer: frozenset[str]) -> Iterator[Violation]:
    known = set(outer)
    for node in graph:
        for name in sorted(read_symbols(node) - known):
            yield Violation("IR018", f"size symbol {name!r} is read by {node.op.name}", _at(node))
        for body in node.bodies.values():
            yield from _bound(body, frozenset(known) | value_symbols(body.inputs))
        for name in sorted(_plain_symbols(node) - known):
            yield Violation("IR018", f"size symbol {name!r} of an output is bound by no input", _at(node))
        known |= bindable_symbols(node)


def _plain_symbols(node: Node) -> frozenset[str]:
    return frozenset(s.name for v in node.outputs for d in v.type.shape for s in symbols(d) if not s.opaque)


# -- the model's tables ---------------------------------------------------------------------------------------------
def _signature(model: Model) -> Iterator[Violation]:
    names = [v.name for v in model.graph.inputs]
    for name, count in Counter(names).items():
        if not name or count > 1:
            yield Violation("IR012", f"{count} inputs are called {name!r}")
    if list(model.signature.input_names) != names:
        yield Violation("IR011", f"the signature takes {list(model.signature.input_names)}, the graph {names}")
    leaves, outputs = model.signature.output_names, len(model.graph.outputs)
    if len(leaves) != outputs or len(set(leaves)) != len(leaves):
        yield Violation("IR011", f"the signature returns {list(leaves)}, the graph {outputs} values")


def _weights(model: Model) -> Iterator[Violation]:
    taken = Counter(n for w in model.weights.values() for n in (w.name, *w.aliases))
    for name, count in taken.items():
        if not name or count > 1:
            yield Violation("IR015", f"{count} weights or aliases are called {name!r}")
    for name, weight in model.weights.items():
        value = model._values.get(name)
        if weight.name != name or value is None or value.name != name or not value.is_weight:
            yield Violation("IR015", f"the record, the value and the key of weight {name!r} are called differently")
        elif value.type != weight.type:
            yield Violation("IR014", f"weight {name!r} is {weight.type}, its value {value.type}")


def _state(model: Model) -> Iterator[Violation]:
    for name, value in model.state.items():
        weight = model.weights.get(name)
        if weight is None or weight.kind == "constant":
            yield Violation("IR016", f"state {name!r} is " + ("no weight" if weight is None else "a constant"))
        elif not types_agree(weight.type, value.type, _equalities(model.assumptions)):
            yield Violation("IR017", f"state {name!r} is {weight.type}, its next value {value.type}")
        home = value.producer.graph if value.producer is not None else value.graph
        if not value.is_weight and home is not model.graph:
            yield Violation("IR017", f"the next value of state {name!r} is not of the main graph")


_CHECKS: tuple[Callable[[Model], Iterator[Violation]], ...] = (
    _links, _uses, _scopes, _definitions, _types, _symbols, _signature, _weights, _state,
)  # fmt: skip
