"""Making nodes: types are inferred, attributes completed, Python numbers become constants."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ir.core.graph import Graph, Node, Value
from ir.core.origin import Origin
from ir.ops import registry
from ir.ops.define import OpDef
from ir.types import DType, dtypes

Outputs = Any  # Value, or a tuple of them for ops with several outputs


class Builder:
    """Appends nodes to a graph (or inserts them before `before`).

    `b.softmax(x, axis=1)` makes a node of the op `softmax` and returns its output value (a tuple for several outputs).
    Positional arguments are operands in declaration order; operands and attributes may be given by name. A Python
    number or NumPy array as an operand becomes a constant, with the dtype of the operand it must match.
    """

    def __init__(self, graph: Graph, before: Node | None = None, origin: Origin | None = None) -> None:
        self.graph = graph
        self.before = before
        self.origin = origin or Origin()
        self.on_node: Callable[[Node], None] | None = None  # told of each node made

    @contextlib.contextmanager
    def at(self, origin: Origin) -> Iterator[None]:
        """Nodes made inside the block carry `origin`."""
        saved, self.origin = self.origin, origin
        try:
            yield
        finally:
            self.origin = saved

    def __getattr__(self, name: str) -> Callable[..., Outputs]:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            record = registry.get(name.rstrip("_"))  # b.not_(x), b.and_(x, y)
        except KeyError as error:
            raise AttributeError(str(error)) from None
        return lambda *args, **kwargs: self.op(record, *args, **kwargs)

    def op(self, record: OpDef, *args: Any, **kwargs: Any) -> Outputs:
        """Make a node and return its output or outputs; raises TypeError or ValueError when the op does not apply."""
        node = self.node(record, *args, **kwargs)
        return (
            node.outputs[0]
            if len(record.outputs) == 1 and not record.outputs[0].endswith("*")
            else node.outputs
        )

    def node(self, record: OpDef, *args: Any, **kwargs: Any) -> Node:
        """Make a node."""
        operands, attrs, bodies = self._sort_arguments(record, args, kwargs)
        attrs = record.complete(attrs)
        types = {
            k: tuple(v.type for v in x) if isinstance(x, tuple) else x.type
            for k, x in operands.items()
            if x is not None
        }
        outs = record.infer_types(types, attrs, bodies)
        node = Node(
            record,
            {s.name: operands.get(s.name, () if s.mode == "variadic" else None) for s in record.operands},
            attrs,
            outs,
            bodies,
            self.origin,
        )
        self.insert(node)
        return node

    def constant(self, value: Any, dtype: DType | None = None) -> Value:
        """A constant tensor; raises ValueError for a Python number that an integer or bool `dtype` does not hold."""
        if dtype is not None and isinstance(value, (bool, int, float)) and not dtype.holds(value):
            raise ValueError(f"{value} is not a value of {dtype}")
        array = np.asarray(value) if dtype is None else np.asarray(value).astype(dtype.numpy)
        return self.op(registry.get("constant"), value=array)

    def insert(self, node: Node) -> None:
        """Add a finished node where the next one goes."""
        if self.before is None:
            self.graph.append(node)
        else:
            self.graph.insert_before(self.before, node)
        if self.on_node is not None:
            self.on_node(node)

    def _sort_arguments(
        self, record: OpDef, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Graph]]:
        names = [s.name for s in record.operands]
        given: dict[str, Any] = {}
        if len(names) == 1 and record.operands[0].mode == "variadic" and args and isinstance(args[0], Value):
            args = (args,)
        if len(args) > len(names):
            raise TypeError(f"{record.name} takes {len(names)} operands, got {len(args)}; attributes go by name")
        given.update(zip(names, args, strict=False))
        given.update({k: kwargs.pop(k) for k in list(kwargs) if k in names})
        bodies = {k.rstrip("_"): kwargs.pop(k) for k in list(kwargs) if k.rstrip("_") in record.bodies}  # else_=...
        return {k: self._operand(record, k, v, given) for k, v in given.items()}, kwargs, bodies

    def _operand(self, record: OpDef, name: str, value: Any, given: dict[str, Any]) -> Any:
        if value is None or isinstance(value, Value):
            return value
        spec = record.operand(name)
        if spec.mode == "variadic":
            return tuple(value)
        if isinstance(value, (bool, int, float, complex, np.ndarray, np.generic)):
            return self.constant(value, self._literal_dtype(spec.name, spec.like, value, record, given))
        raise TypeError(f"{record.name}.{name} must be a value, got {type(value).__name__}")

    @staticmethod
    def _literal_dtype(name: str, like: str, value: Any, record: OpDef, given: dict[str, Any]) -> DType | None:
        for key in [like, *(s.name for s in record.operands if s.like == name)]:
            peer = given.get(key)
            peer = peer[0] if isinstance(peer, tuple) and peer else peer
            if isinstance(peer, Value):
                return peer.type.dtype
        if isinstance(value, (np.ndarray, np.generic)):
            return None
        return dtypes.bool_ if isinstance(value, bool) else dtypes.int64 if isinstance(value, int) else dtypes.float32
