"""The mutable part of the IR: values, nodes and graphs, with use-def links that edits keep right.

A graph's nodes are a linked list: inserting and removing while iterating is safe, and both cost O(1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ir.core.origin import Origin
from ir.ops.define import OpDef
from ir.types import TensorType

ValueKind = Literal["node", "input", "weight"]
Operand = "Value | tuple[Value, ...] | None"


@dataclass(frozen=True, slots=True)
class Use:
    """One place that reads a value: an operand of a node, an output of a graph, or the next value of a state entry."""

    user: Any  # Node | Graph | Model (compared by identity)
    key: str
    index: int | None = None


class Value:
    """A tensor in the graph. `name` is a hint: printers make names unique. Weights are readable from any body."""

    __slots__ = ("type", "name", "kind", "producer", "index", "graph", "_uses")

    def __init__(self, type: TensorType, name: str = "", kind: ValueKind = "node", producer: Node | None = None, index: int = 0) -> None:
        self.type = type
        self.name = name
        self.kind: ValueKind = kind
        self.producer = producer
        self.index = index
        self.graph: Graph | None = None  # owner of an input value
        self._uses: dict[Use, None] = {}

    @property
    def uses(self) -> tuple[Use, ...]:
        """Every reader, in the order they were made; a snapshot, so editing while iterating is safe."""
        return tuple(self._uses)

    @property
    def users(self) -> tuple[Node, ...]:
        """The nodes that read this value, once each."""
        return tuple(dict.fromkeys(u.user for u in self._uses if isinstance(u.user, Node)))

    @property
    def is_weight(self) -> bool:
        return self.kind == "weight"

    def replace_all_uses(self, other: Value) -> None:
        """Make every reader of this value read `other` instead (node operands, graph outputs, state)."""
        if other is self:
            return
        for use in self.uses:
            use.user._replace_use(use, other)

    def __repr__(self) -> str:
        return f"<Value {self.name or '_'}: {self.type}>"


class Node:
    """One application of an op. Operands are named: a value, None when absent, or a tuple when variadic."""

    __slots__ = ("op", "operands", "attrs", "bodies", "outputs", "origin", "graph", "_prev", "_next")

    def __init__(
        self,
        op: OpDef,
        operands: Mapping[str, Any],
        attrs: Mapping[str, Any],
        types: Iterable[TensorType],
        bodies: Mapping[str, Graph] | None = None,
        origin: Origin | None = None,
    ) -> None:
        self.op = op
        self.attrs: dict[str, Any] = dict(attrs)
        self.bodies: dict[str, Graph] = dict(bodies or {})
        self.origin = origin or Origin()
        self.graph: Graph | None = None
        self._prev: Node | None = None
        self._next: Node | None = None
        self.operands: dict[str, Any] = {}
        self.outputs: tuple[Value, ...] = tuple(Value(t, kind="node", producer=self, index=i) for i, t in enumerate(types))
        for body in self.bodies.values():
            body.parent = self
        for name, value in operands.items():
            self.set_operand(name, value)

    @property
    def output(self) -> Value:
        """The only output; raises ValueError when there are several."""
        (value,) = self.outputs
        return value

    @property
    def inputs(self) -> tuple[Value, ...]:
        """All present operands, flattened in declaration order."""
        flat: list[Value] = []
        for value in self.operands.values():
            flat.extend(value if isinstance(value, tuple) else () if value is None else (value,))
        return tuple(flat)

    def operand(self, name: str) -> Value:
        """A required or present optional operand; raises KeyError when it is absent."""
        value = self.operands[name]
        if not isinstance(value, Value):
            raise KeyError(f"{self.op.name} has no single operand {name!r} here")
        return value

    def set_operand(self, name: str, value: Any) -> None:
        """Point one operand at another value (tuple for a variadic one, None for an absent optional one)."""
        self._drop_uses(name)
        self.operands[name] = tuple(value) if isinstance(value, list) else value
        for use, v in self._uses_of(name):
            v._uses[use] = None

    def _uses_of(self, name: str) -> Iterator[tuple[Use, Value]]:
        value = self.operands.get(name)
        if isinstance(value, tuple):
            yield from ((Use(self, name, i), v) for i, v in enumerate(value))
        elif value is not None:
            yield Use(self, name), value

    def _drop_uses(self, name: str) -> None:
        for use, v in self._uses_of(name):
            v._uses.pop(use, None)

    def _replace_use(self, use: Use, other: Value) -> None:
        old = self.operands[use.key]
        self.set_operand(use.key, other if use.index is None else (*old[: use.index], other, *old[use.index + 1 :]))

    def detach(self) -> None:
        """Forget all operands, so that their use lists no longer mention this node, and empty the bodies: whoever still
        has a node of theirs in hand sees that it is in no graph."""
        for name in list(self.operands):
            self._drop_uses(name)
        for body in self.bodies.values():
            for node in body:
                node.detach()
                body.unlink(node)
            body.set_outputs([])

    def __repr__(self) -> str:
        outs = ", ".join(v.name or "_" for v in self.outputs)
        return f"<Node {outs} = {self.op.name}({', '.join(v.name or '_' for v in self.inputs)})>"


class Graph:
    """Inputs, nodes in execution order, outputs. A body is a graph whose `parent` is the node that owns it."""

    __slots__ = ("name", "inputs", "_outputs", "parent", "_head", "_tail", "_size")

    def __init__(self, name: str = "main") -> None:
        self.name = name
        self.inputs: list[Value] = []
        self._outputs: list[Value] = []
        self.parent: Node | None = None
        self._head: Node | None = None
        self._tail: Node | None = None
        self._size = 0

    # -- inputs and outputs -----------------------------------------------------------------------------------
    def add_input(self, type: TensorType, name: str) -> Value:
        """Append an input."""
        value = Value(type, name, kind="input", index=len(self.inputs))
        value.graph = self
        self.inputs.append(value)
        return value

    def remove_input(self, value: Value) -> None:
        """Remove an input that nothing reads; raises ValueError otherwise."""
        if value._uses:
            raise ValueError(f"input {value.name} is still read by {len(value._uses)} users")
        self.inputs.remove(value)
        for i, v in enumerate(self.inputs):
            v.index = i

    @property
    def outputs(self) -> tuple[Value, ...]:
        return tuple(self._outputs)

    def set_outputs(self, values: Iterable[Value]) -> None:
        """Replace the outputs."""
        for i, v in enumerate(self._outputs):
            v._uses.pop(Use(self, "output", i), None)
        self._outputs = list(values)
        for i, v in enumerate(self._outputs):
            v._uses[Use(self, "output", i)] = None

    def _replace_use(self, use: Use, other: Value) -> None:
        values = list(self._outputs)
        values[use.index or 0] = other
        self.set_outputs(values)

    # -- nodes ------------------------------------------------------------------------------------------------
    def __iter__(self) -> Iterator[Node]:
        node = self._head
        while node is not None:
            yield node
            node = node._next  # read after the yield: nodes inserted behind the current one are visited
            while node is not None and node.graph is not self:  # unlinked meanwhile: its links still lead on
                node = node._next

    def __reversed__(self) -> Iterator[Node]:
        node = self._tail
        while node is not None:
            previous = node._prev
            yield node
            while previous is not None and previous.graph is not self:
                previous = previous._prev
            node = previous

    def __len__(self) -> int:
        return self._size

    def append(self, node: Node) -> Node:
        """Add a node at the end."""
        return self._link(node, self._tail, None)

    def insert_before(self, ref: Node, node: Node) -> Node:
        """Insert `node` before `ref`."""
        return self._link(node, ref._prev, ref)

    def insert_after(self, ref: Node, node: Node) -> Node:
        """Insert `node` after `ref`."""
        return self._link(node, ref, ref._next)

    def _link(self, node: Node, prev: Node | None, next: Node | None) -> Node:
        if node.graph is not None:
            raise ValueError(f"{node!r} is in a graph already")
        node.graph, node._prev, node._next = self, prev, next
        if prev is None:
            self._head = node
        else:
            prev._next = node
        if next is None:
            self._tail = node
        else:
            next._prev = node
        self._size += 1
        return node

    def remove(self, node: Node) -> None:
        """Erase a node whose outputs nothing reads; raises ValueError otherwise."""
        readers = [u for v in node.outputs for u in v._uses]
        if readers:
            raise ValueError(f"{node!r} is still read by {len(readers)} users")
        node.detach()
        self.unlink(node)

    def unlink(self, node: Node) -> None:
        """Take a node out of the list, keeping its operands: to move it elsewhere."""
        if node.graph is not self:
            raise ValueError(f"{node!r} is not in graph {self.name}")
        if node._prev is None:
            self._head = node._next
        else:
            node._prev._next = node._next
        if node._next is None:
            self._tail = node._prev
        else:
            node._next._prev = node._prev
        node.graph = None
        self._size -= 1

    def __repr__(self) -> str:
        return f"<Graph {self.name}: {len(self)} nodes>"
