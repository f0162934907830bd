"""Where layers stand in the model: dotted names from attributes and layer names, and the calls that are under way."""

from __future__ import annotations

import contextlib
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from converter.importers.keras.blocks import Block, find_blocks
from converter.importers.keras.joined import Part, join
from ir.core import Origin, Path, Scope
from ir.data.weights import WeightKind

_OWN = re.compile(r"[/\\]keras[/\\]src[/\\]|[/\\]importers[/\\]keras[/\\]|^<|[/\\]optree[/\\]|contextlib")
_START = re.compile(r"[/\\]importers[/\\]keras[/\\]assemble\.py$")
_UNNAMED = re.compile(r"variable(_\d+)?")
_COUNTED = re.compile(r"_\d+$")
_CONTAINERS = ("Functional", "Sequential")
_KEPT_BY_KERAS = ("_layers", "_tracker", "_functional", "_inbound_nodes", "_outbound_nodes")


class Scopes:
    """Names of all layers and variables below a model, each where it is found first; and the stack of calls."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.paths: dict[int, tuple[str, ...]] = {id(root): ()}
        self.classes: dict[tuple[str, ...], str] = {}
        self.variables: dict[int, tuple[str, WeightKind]] = {}
        self.layers: dict[int, Any] = {id(root): root}
        self.blocks: set[tuple[str, ...]] = set()  # modules that only names tell: nobody calls them
        self._operations: dict[int, tuple[str, ...]] = {}  # in which block an operation of a functional model stands
        self._stack: list[tuple[tuple[str, ...], int]] = []
        self._calls: dict[tuple[str, ...], int] = {}
        self._visit(root)

    # -- names ------------------------------------------------------------------------------------------------------
    def _visit(self, layer: Any) -> None:
        path = self.paths[id(layer)]
        self._name_variables(layer, path)
        taken: set[tuple[str, ...]] = set()
        waiting = []
        children = list(_children(layer))
        blocks = _blocks(layer, [("_".join(n), type(c).__name__) for n, c in children]) if is_functional(layer) else {}
        for name, child in children:
            if id(child) in self.paths:
                continue
            if _is_own_cell(layer, child):
                self.paths[id(child)] = path
                self._name_variables(child, path)
                continue
            if "_".join(name) in blocks:
                block = blocks["_".join(name)]
                name = (block.name, block.within)
                self.blocks.add((*path, block.name))
                self.classes[*path, block.name] = block.cls
            parts, n = name, 1
            while parts in taken:
                n += 1
                parts = (*name[:-1], f"{name[-1]}_{n}")
            taken.add(parts)
            here = (*path, *parts)
            self.paths[id(child)], self.layers[id(child)] = here, child
            self.classes[here] = class_name(child)
            waiting.append(child)
        if blocks:
            operations = {_plain(op.name): op for op in _graph_of(layer).operations}
            self._operations |= {id(operations[n]): (*path, b.name) for n, b in blocks.items() if n in operations}
        for child in waiting:
            self._visit(child)

    def _name_variables(self, layer: Any, path: tuple[str, ...]) -> None:
        taken: set[str] = set()
        attributes = {id(v): k.lstrip("_") for k, v in vars(layer).items() if is_variable(v)}
        trained = {id(v) for v in layer._trainable_variables}
        for variable in (*layer._trainable_variables, *layer._non_trainable_variables):
            if id(variable) in self.variables:
                continue
            counted = _UNNAMED.fullmatch(variable.name) is not None
            base = name = attributes.get(id(variable), "variable") if counted else variable.name
            n = 1
            while name in taken:
                n += 1
                name = f"{base}_{n}"
            taken.add(name)
            kind: WeightKind = "parameter" if id(variable) in trained else "buffer"
            self.variables[id(variable)] = (".".join((*path, name.replace("/", "_").replace(".", "_"))), kind)
        self._name_states(layer, path)

    def _name_states(self, layer: Any, path: tuple[str, ...]) -> None:
        """What a stateful recurrent layer keeps from call to call: Keras does not list it among its variables."""
        from keras import tree

        states = getattr(layer, "states", None) if getattr(layer, "stateful", False) else None
        for i, variable in enumerate(v for v in tree.flatten(states) if is_variable(v)):
            self.variables.setdefault(id(variable), (".".join((*path, f"state_{i + 1}")), "buffer"))

    # -- calls ------------------------------------------------------------------------------------------------------
    def restart(self) -> None:
        """Another reading of the model begins: calls are counted anew."""
        self._stack.clear()
        self._calls.clear()

    @contextlib.contextmanager
    def entered(self, layer: Any, bare: bool = False) -> Iterator[None]:
        """A call of a layer is under way. A layer that the model does not own belongs to its caller, and so does one that
        is `bare`: what it does stands where it is called."""
        path = self.paths.get(id(layer))
        entered = self._stack and self._stack[-1][0] == path  # the cell of a recurrent layer
        if path is None or layer is self.root or entered or (bare and path[:-1] not in self.blocks):
            yield
            return
        place = path[:-1] if bare else path
        with self._pushed(place, 0 if bare else self._count(path)):
            yield

    @contextlib.contextmanager
    def placed(self, operation: Any) -> Iterator[None]:
        """An operation of a functional model is under way: where it stands in a block, it belongs to that."""
        block = self._operations.get(id(operation))
        if block is None or not self._stack_is(block[:-1]):
            yield
            return
        with self._pushed(block, 0):
            yield

    def _stack_is(self, path: tuple[str, ...]) -> bool:
        return (self._stack[-1][0] if self._stack else ()) == path

    def _count(self, path: tuple[str, ...]) -> int:
        self._calls[path] = self._calls.get(path, -1) + 1
        return self._calls[path]

    @contextlib.contextmanager
    def _pushed(self, path: tuple[str, ...], call: int) -> Iterator[None]:
        self._stack.append((path, call))
        try:
            yield
        finally:
            self._stack.pop()

    @contextlib.contextmanager
    def left(self) -> Iterator[None]:
        """Back at the caller of the current layer, or in its block, for a while."""
        last = self._stack.pop() if self._stack else None
        try:
            if last is not None and last[0][:-1] in self.blocks:
                with self._pushed(last[0][:-1], 0):
                    yield
            else:
                yield
        finally:
            if last is not None:
                self._stack.append(last)

    def path(self) -> Path:
        """The module path of what is computed now."""
        if not self._stack:
            return ()
        names = self._stack[-1][0]
        calls = dict(self._stack)
        found: list[Scope] = []
        for i in range(len(names)):
            here = names[: i + 1]
            whole = found[-1].call if here in self.blocks and found else 0
            found.append(
                Scope(here[-1], self.classes.get(here, ""), whole if here in self.blocks else calls.get(here, 0))
            )
        return tuple(found)

    def origin(self, origin: Origin) -> Origin:
        """An origin at the current place."""
        return replace(origin, path=self.path())


def is_variable(item: Any) -> bool:
    from keras.src.backend.common.variables import Variable

    return isinstance(item, Variable)


def class_name(layer: Any) -> str:
    """The layer's class; a functional or sequential model that is part of another goes by its own name."""
    name = type(layer).__name__
    if name not in _CONTAINERS:
        return name
    words = re.split(r"[^0-9a-zA-Z]+", _COUNTED.sub("", layer.name))
    return "".join(w[:1].upper() + w[1:] for w in words) or name


def _is_own_cell(layer: Any, child: Any) -> bool:
    """Whether a layer is the cell that a recurrent layer of Keras has made for itself: its weights are the layer's."""
    kinds = f"{type(layer).__name__}Cell", type(child).__name__
    own = all(type(x).__module__.startswith("keras.src.layers.rnn.") for x in (layer, child))
    return own and kinds[0] == kinds[1]


def is_functional(layer: Any) -> bool:
    """Whether a layer's parts go by their own names: those of a functional or sequential model do."""
    return type(layer).__name__ in _CONTAINERS or hasattr(layer, "_operations")


def _graph_of(layer: Any) -> Any:
    """The graph of a functional or sequential model."""
    return getattr(layer, "_functional", None) or layer


def _blocks(layer: Any, named: list[tuple[str, str]]) -> dict[str, Block]:
    """The blocks of a functional or sequential model, by the plain names of its layers and operations."""
    found = find_blocks(named)
    graph = _graph_of(layer)
    if not found or not hasattr(graph, "_nodes_by_depth"):
        return found
    outputs = {_plain(x._keras_history.operation.name) for x in graph.outputs}
    return join(found, list(_parts(graph)), outputs)


def _parts(graph: Any) -> Iterator[Part]:
    """The calls of a functional model in order. What is called more than once, and what takes nothing, stays where it is."""
    from keras.src.utils.naming import to_snake_case

    nodes = [node for depth in sorted(graph._nodes_by_depth, reverse=True) for node in graph._nodes_by_depth[depth]]
    calls = Counter(id(node.operation) for node in nodes)
    names: dict[int, str] = {}
    for i, node in enumerate(nodes):
        once = calls[id(node.operation)] == 1
        names[id(node)] = _plain(node.operation.name) if once else f"{i}"
        before = tuple(names[id(n)] for n in node.parent_nodes if id(n) in names)
        kind = to_snake_case(type(node.operation).__name__) if once and before else ""
        yield Part(names[id(node)], kind, before)


def _children(layer: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Layers directly below one, with the parts of their names: attributes where the class has named them, else their own
    names."""
    from keras.src.layers import Layer

    found = [child for child in layer._flatten_layers(include_self=False, recursive=False) if isinstance(child, Layer)]
    attributes = {} if is_functional(layer) else dict(_attributes(layer))
    for child in found:
        yield attributes.get(id(child), (_plain(child.name),)), child


_BOOKS = re.compile(r"_(layers|tracker|functional)$|_(self_)?(unconditional|deferred|name_based)_")
"""Attributes in which Keras and TensorFlow list what a layer holds under other attributes."""


def _attributes(layer: Any) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Identity of a layer -> the parts of the attribute that holds it, lists and dicts looked through."""
    from keras.src.layers import Layer

    seen: set[int] = set()

    def visit(value: Any, parts: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
        if isinstance(value, Layer):
            if id(value) not in seen:
                seen.add(id(value))
                yield id(value), parts
        elif isinstance(value, (list, tuple)):
            for i, item in enumerate(value):
                yield from visit(item, (*parts, str(i)))
        elif isinstance(value, dict):
            for key, item in value.items():
                yield from visit(item, (*parts, _plain(str(key))))

    own = [(k, v) for k, v in vars(layer).items() if not k.startswith("_")]
    hidden = [(k, v) for k, v in vars(layer).items() if k.startswith("_") and not _BOOKS.match(k)]
    for name, value in (*own, *hidden):
        yield from visit(value, (name.lstrip("_") or name,))


def _plain(name: str) -> str:
    return re.sub(r"[^0-9a-zA-Z_]+", "_", name) or "layer"


def user_line() -> str:
    """`file.py:12` of the innermost frame of the user's code that is being read; empty where there is none."""
    frame: Any = sys._getframe(1)
    while frame is not None and not _START.search(frame.f_code.co_filename):
        if not _OWN.search(frame.f_code.co_filename):
            return f"{PurePath(frame.f_code.co_filename).name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
