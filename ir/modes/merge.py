"""Merging two models of one source: its inference and its training, over the same weights and inputs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ir.core.binding import declared_symbols
from ir.core.builder import Builder
from ir.core.graph import Graph, Node, Value
from ir.core.model import Model
from ir.core.origin import Origin, common_path
from ir.core.walk import copy_node
from ir.modes.align import operand_pairs, pairs, settings, token
from ir.modes.choices import Choice, Group, Side, groups, stay
from ir.types import TensorType


class Unmergeable(ValueError):
    """The two modes cannot be one graph; the message says why, in words for the user."""


def merge_modes(inference: Model, training: Model) -> None:
    """Give `inference` the behaviour of `training` while it trains; `training` is used up.

    Both must have been read from one source with the same inputs. Notes and assumptions of the training side are added.
    Raises Unmergeable where inputs or results differ in structure or type; `inference` may then be half merged.
    """
    _check_signatures(inference, training)
    names = _join_weights(inference, training)
    values: dict[Value, Value] = {training.weight_value(t): inference.weight_value(m) for t, m in names.items()}
    work = _Graphs(inference.graph, training.graph, values, names)
    for name in training.weights:
        mine = names[name]
        weight, other = inference.weight_value(mine), training.weight_value(name)
        a, b = inference.state.get(mine, weight), training.state.get(name, other)
        if mine in inference.state or name in training.state:
            work.choose(a, b, functools.partial(inference.set_state, mine), Origin())
    for i, (a, b) in enumerate(zip(inference.graph.outputs, training.graph.outputs, strict=True)):
        work.choose(a, b, functools.partial(_set_output, inference.graph, i), Origin())
    work.run()
    inference.notes += [n for n in training.notes if n not in inference.notes]
    inference.assumptions += [a for a in training.assumptions if a not in inference.assumptions]


def _check_signatures(inference: Model, training: Model) -> None:
    if inference.input_types != training.input_types:
        raise Unmergeable("it takes inputs of other sizes in training")
    if inference.signature.result != training.signature.result:
        raise Unmergeable("it returns results of another structure in training")
    for (name, a), b in zip(inference.output_types.items(), training.output_types.values(), strict=True):
        if a != b:
            raise Unmergeable(f"result {name} is {a} in inference and {b} in training")


def _join_weights(inference: Model, training: Model) -> dict[str, str]:
    """Name in training -> name in inference; constants go by their bytes, and new ones are added."""
    names: dict[str, str] = {}
    for name, weight in training.weights.items():
        mine = inference.weights.get(name)
        if weight.kind != "constant" or (mine is not None and _same_bytes(mine, weight)):
            names[name] = name
            continue
        twin = next((n for n, w in inference.weights.items() if w.kind == "constant" and _same_bytes(w, weight)), None)
        if twin is None:
            twin = name if mine is None else f"{name}_in_training"
            inference.add_weight(type(weight)(twin, weight.data, weight.kind, weight.trainable))
        names[name] = twin
    missing = [n for n in names.values() if n not in inference.weights]
    if missing:
        raise Unmergeable(f"it has weights in training only: {', '.join(missing[:3])}")
    return names


def _same_bytes(a: Any, b: Any) -> bool:
    return a.type == b.type and a.kind == b.kind and bool(a.data.digest() == b.data.digest())


def _set_output(graph: Graph, index: int, value: Value) -> None:
    graph.set_outputs([value if i == index else v for i, v in enumerate(graph.outputs)])


class _Graphs:
    """Merges one pair of graphs, then the bodies of paired nodes."""

    def __init__(
        self, inference: Graph, training: Graph, values: Mapping[Value, Value], names: Mapping[str, str]
    ) -> None:
        self.graph = inference
        self.names = names
        self.paired: dict[Value, Value] = {**values, **dict(zip(training.inputs, inference.inputs, strict=True))}
        self.pairs = list(pairs(inference, training))
        for a, b in self.pairs:
            self.paired.update(zip(b.outputs, a.outputs, strict=True))
        self.infer = _side(inference, [a for a, _ in self.pairs])
        self.train = _side(training, [b for _, b in self.pairs])
        self.choices: dict[tuple[Any, Any], Choice] = {}
        for a, b in self.pairs:
            for name, index, mine, theirs in operand_pairs(a, b):
                self.choose(mine, theirs, _setter(a, name, index), a.origin)

    def choose(self, mine: Value, theirs: Value, put: Callable[[Value], None], origin: Origin) -> None:
        """Where a value differs between the modes, note who reads it."""
        key = token(mine, {}), token(theirs, self.paired, self.names)
        if key[0] == key[1]:
            return
        if mine.type != theirs.type:
            raise Unmergeable(f"a value is {mine.type} in inference and {theirs.type} in training")
        self.choices.setdefault(key, Choice(mine, theirs, origin=origin)).put.append(put)

    def run(self) -> None:
        """Rewrite the inference graph."""
        choices = list(self.choices.values())
        for c in choices:
            known = (
                self.infer.ready(self.paired[c.training]) if c.training in self.paired else self.train.ready(c.training)
            )
            c.gap = max(self.infer.ready(c.inference), known)
        self.train.sink(_gaps(choices, "training"))
        self.infer.sink(_gaps(choices, "inference"))
        stay(self.infer, choices)
        for a, b in self.pairs:
            self._inner(a, b)
            a.attrs.update(settings(a, b) or {})
        for group in self._groups(choices):
            self._write(group)
        for node in reversed(self.infer.nodes):
            if not any(v.uses for v in node.outputs) and not declared_symbols(node):
                self.graph.remove(node)

    def _inner(self, mine: Node, theirs: Node) -> None:
        """Bodies of a pair are merged in their turn: control flow stays, and what differs lies inside."""
        for name, body in mine.bodies.items():
            other = theirs.bodies[name]
            if len(body.outputs) != len(other.outputs):
                raise Unmergeable(f"{mine.op.name} returns another number of values in training")
            work = _Graphs(body, other, {k: v for k, v in self.paired.items() if k.is_weight}, self.names)
            for i, (a, b) in enumerate(zip(body.outputs, other.outputs, strict=True)):
                work.choose(a, b, functools.partial(_set_output, body, i), mine.origin)
            work.run()

    def _groups(self, choices: list[Choice]) -> list[Group]:
        """The groups in order of gaps. Those of one gap and one module become one, dropout on its own excepted."""
        joined: dict[Any, Group] = {}
        for group in groups(self.train, self.infer, choices):
            alone = _only_dropout(group, lambda v: token(v, self.paired, self.names))
            key = (group.gap, None if alone else _origin(group).path, group if alone else None)
            if key in joined:
                joined[key].join(group, self.train.nodes, self.infer.nodes)
            else:
                joined[key] = group
        return sorted(joined.values(), key=lambda g: g.gap)

    # -- one group ----------------------------------------------------------------------------------------------
    def _write(self, group: Group) -> None:
        before = self.pairs[group.gap][0] if group.gap < len(self.pairs) else None
        if _only_dropout(group, lambda v: token(v, self.paired, self.names)):
            self._in_place(group, before)
            return
        ours: list[Value | None] = [*(c.inference for c in group.choices), *(None for _ in group.handed_on)]
        theirs: list[Value | None] = [*(c.training for c in group.choices), *group.handed_on]
        train = _Body("train", group.train, theirs, self.paired)
        infer = _Body("infer", group.infer, ours, {})
        captured = list(dict.fromkeys([*train.captures, *infer.captures]))
        bodies = {body.name: body.build(captured, [t.type for t in theirs if t is not None]) for body in (train, infer)}
        try:
            made = Builder(self.graph, before=before, origin=_origin(group)).by_mode(captured, **bodies)
        except (TypeError, ValueError) as error:
            raise Unmergeable(str(error)) from None
        for value, source in zip(made, theirs, strict=True):
            value.name = source.name if source is not None else ""
        for choice, value in zip(group.choices, made):
            for put in choice.put:
                put(value)
        self.paired.update(zip(group.handed_on, made[len(group.choices) :], strict=True))

    def _in_place(self, group: Group, before: Node | None) -> None:
        """Dropout that inference does without is the identity there: it needs no choice."""
        mapping = dict(self.paired)
        for node in group.train:
            copy = copy_node(node, mapping)
            if before is None:
                self.graph.append(copy)
            else:
                self.graph.insert_before(before, copy)
        for choice in group.choices:
            for put in choice.put:
                put(mapping[choice.training])


class _Body:
    """One branch of a `by_mode` node: copies of nodes, reading captures. A None among `outputs` is a value that only
    the other branch computes: zeros stand for it."""

    def __init__(
        self, name: str, nodes: Sequence[Node], outputs: Sequence[Value | None], known: Mapping[Value, Value]
    ) -> None:
        self.name, self.nodes, self.outputs = name, nodes, outputs
        self.weights = {k: v for k, v in known.items() if k.is_weight}
        own = {v for n in nodes for v in n.outputs}
        outside = [v for n in nodes for v in n.inputs] + [v for v in outputs if v is not None]
        read = dict.fromkeys(v for v in outside if v not in own and not v.is_weight)
        self.constants = [v for v in read if _is_constant(v)]
        self.captures = {known.get(v, v): None for v in read if not _is_constant(v)}
        self.inside = {v: known.get(v, v) for v in read if not _is_constant(v)}

    def build(self, captured: Sequence[Value], types: Sequence[TensorType]) -> Graph:
        """The body, with one input for each of `captured`."""
        graph = Graph(self.name)
        inputs = {v: graph.add_input(v.type, v.name) for v in captured}
        mapping = {**self.weights, **{v: inputs[main] for v, main in self.inside.items()}}
        constants = [v.producer for v in self.constants if v.producer is not None]
        for node in [*constants, *self.nodes]:
            graph.append(copy_node(node, mapping))
        results = []
        for value, type_ in zip(self.outputs, types, strict=True):
            results.append(_nothing(graph, type_) if value is None else mapping.get(value, value))
        graph.set_outputs(results)
        return graph


def _nothing(graph: Graph, type_: TensorType) -> Value:
    if type_.dtype.is_complex or not type_.shape:
        zero = Builder(graph).constant(np.zeros((), type_.dtype.numpy), type_.dtype)
        made: Value = Builder(graph).expand(zero, shape=type_.shape) if type_.shape else zero
        return made
    filled: Value = Builder(graph).full(shape=type_.shape, value=False if type_.dtype.is_bool else 0, dtype=type_.dtype)
    return filled


def _is_constant(value: Value) -> bool:
    return value.producer is not None and value.producer.op.name == "constant"


def _only_dropout(group: Group, tokens: Callable[[Value], Any]) -> bool:
    """Whether the group is dropout alone, from values that inference hands on as they are."""
    if group.infer or group.handed_on or any(n.op.name != "dropout" or n.attrs["always"] for n in group.train):
        return False

    def start(value: Value) -> Value:
        while value.producer in group.train and value.producer is not None:
            value = value.producer.operand("x")
        return value

    return bool(group.train) and all(tokens(start(c.training)) == token(c.inference, {}) for c in group.choices)


def _origin(group: Group) -> Origin:
    """The module that all of the group lies in, and the line of its first node."""
    nodes = [*group.train, *group.infer]
    paths = [n.origin.path for n in nodes] or [c.origin.path for c in group.choices]
    first = nodes[0].origin if nodes else group.choices[0].origin
    return Origin("training", first.name, common_path(paths), first.line, "by_mode")


def _setter(node: Node, name: str, index: int | None) -> Callable[[Value], None]:
    def put(value: Value) -> None:
        old = node.operands[name]
        node.set_operand(name, value if index is None else (*old[:index], value, *old[index + 1 :]))

    return put


def _gaps(choices: Sequence[Choice], side: str) -> dict[Value, set[int]]:
    found: dict[Value, set[int]] = {}
    for choice in choices:
        found.setdefault(getattr(choice, side), set()).add(choice.gap)
    return found


def _side(graph: Graph, paired: Sequence[Node]) -> Side:
    available = {n: k + 1 for k, n in enumerate(paired)}
    gap, nodes, k = {}, [], 0
    for node in graph:
        if node in available:
            k = available[node]
        elif node.op.name != "constant":
            nodes.append(node)
            gap[node] = k
    return Side(nodes, gap, available)
