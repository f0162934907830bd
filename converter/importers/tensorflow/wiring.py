"""Graphs and functions of TensorFlow in one form: nodes, and for each of them the flat outputs that it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from converter.errors import UsageError
from converter.importers.tensorflow.definitions import Definition, definition, of_op

Key = tuple[str, int]
"""A tensor inside one graph: the name of the node (or of an argument) and the place among its flat outputs."""


_RESOURCE = 20  # DT_RESOURCE


@dataclass(frozen=True)
class Wired:
    """A node with its operands resolved: `inputs` are tensors, `controls` nodes that run before it."""

    node: Any
    inputs: tuple[Key, ...]
    controls: tuple[str, ...]

    @property
    def name(self) -> str:
        return str(self.node.name)


@dataclass
class Body:
    """One graph or function. `effects` are nodes that run whether their outputs are read or not, `handles` arguments that are
    resources."""

    name: str
    nodes: dict[str, Wired]
    arguments: tuple[str, ...] = ()
    outputs: tuple[Key, ...] = ()
    effects: tuple[str, ...] = ()
    shapes: Mapping[int, Any] = field(default_factory=dict)  # declared shapes of arguments, where the function has them
    handles: frozenset[str] = frozenset()
    frozen: bool = False  # whether constants may be the weights of the model
    reads: set[Key] = field(init=False)

    def reaches(self, first: str, second: str) -> bool:
        """Whether the second node runs after the first one in every order that the graph allows."""
        seen, stack = {second}, [second]
        while stack:
            wired = self.nodes.get(stack.pop())
            before = set() if wired is None else {n for n, _ in wired.inputs} | set(wired.controls)
            if first in before:
                return True
            stack += before - seen
            seen |= before
        return False

    def __post_init__(self) -> None:
        self.reads = {k for w in self.nodes.values() for k in w.inputs} | set(self.outputs)


class Library:
    """The functions of a graph, wired when first asked for."""

    def __init__(self, proto: Any) -> None:
        self.functions = {f.signature.name: f for f in proto.function}
        self.gradients = {g.function_name: g.gradient_func for g in proto.gradient}
        self._bodies: dict[str, Body] = {}
        self._definitions: dict[str, Definition] = {}

    def definition(self, op: str) -> Definition | None:
        """The definition of an op or of a function by its name; a function hides an op."""
        if op in self.functions:
            if op not in self._definitions:
                self._definitions[op] = of_op(self.functions[op].signature)
            return self._definitions[op]
        return definition(op)

    def graph(
        self, proto: Any, outputs: Iterable[Key], effects: Iterable[str], label: str, frozen: bool = False
    ) -> Body:
        """A GraphDef: operands are `node:place`."""
        from converter.importers.tensorflow.frames import raised

        nodes = raised(_wired(proto.node, _graph_key, label), self._keep, frozen)
        handles = frozenset(n.name for n in proto.node if n.op == "Placeholder" and n.attr["dtype"].type == _RESOURCE)
        return Body(label, nodes, (), tuple(outputs), tuple(effects), handles=handles, frozen=frozen)

    def _keep(self, name: str, body: Body) -> str:
        """Hold a function that no file has, under a name that none has."""
        while name in self._bodies or name in self.functions:
            name += "_"
        self._bodies[name] = body
        return name

    def body(self, name: str) -> Body:
        """A function of the library. Raises UsageError where there is none of that name."""
        if name not in self._bodies:
            proto = self.functions.get(name)
            if proto is None:
                raise UsageError(f"the graph calls the function {name!r}, which its library does not hold")
            self._bodies[name] = self._wire(proto)
        return self._bodies[name]

    def _wire(self, proto: Any) -> Body:
        label = f"function {proto.signature.name!r}"
        by_name = {n.name: n for n in proto.node_def}

        def key(text: str) -> Key:
            return self._function_key(text, by_name, label)

        nodes = _wired(proto.node_def, key, label)
        outputs = tuple(key(proto.ret[a.name]) for a in proto.signature.output_arg)
        arguments = tuple(a.name for a in proto.signature.input_arg)
        shapes = {
            i: a.attr["_output_shapes"].list.shape[0]
            for i, a in proto.arg_attr.items()
            if len(a.attr["_output_shapes"].list.shape)
        }
        effects = tuple(dict.fromkeys(proto.control_ret.values()))
        handles = frozenset(a.name for a in proto.signature.input_arg if a.type == _RESOURCE)
        return Body(label, nodes, arguments, outputs, effects, shapes, handles)

    def _function_key(self, text: str, nodes: Mapping[str, Any], label: str) -> Key:
        """`argument`, or `node:output:place` in the named output."""
        parts = text.split(":")
        if len(parts) == 1:
            return parts[0], 0
        node = nodes.get(parts[0])
        declared = None if node is None else self.definition(node.op)
        if node is None or declared is None or len(parts) > 3:
            if node is not None and declared is None:
                return parts[0], int(parts[-1])  # an op that nobody knows is refused where it stands
            raise UsageError(f"{label} reads {text!r}, which nothing defines")
        found = declared.ranges(node).get(parts[1])
        place = int(parts[2]) if len(parts) == 3 else 0
        if found is None or place >= len(found):
            raise UsageError(f"{label} reads {text!r}, which {node.op} does not have")
        return parts[0], found[place]


def _graph_key(text: str) -> Key:
    name, _, place = text.partition(":")
    return name, int(place or 0)


def _wired(nodes: Iterable[Any], key: Callable[[str], Key], label: str) -> dict[str, Wired]:
    found: dict[str, Wired] = {}
    for node in nodes:
        if node.name in found:
            raise UsageError(f"{label}: the name {node.name!r} is defined twice")
        controls = tuple(i[1:] for i in node.input if i.startswith("^"))
        found[node.name] = Wired(node, tuple(key(i) for i in node.input if not i.startswith("^")), controls)
    return found
