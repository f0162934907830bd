"""A map in a row before a dense layer: the layer's weight takes the order of the elements."""

from __future__ import annotations

from collections.abc import Callable

from ir.core.builder import Builder
from ir.core.graph import Node, Value
from ir.ops.axes import Layout
from ir.passes.layout.fit import Absorbed, Fit, Operands, is_elementwise, listed
from ir.passes.layout.roles import Role
from ir.types import same

Storable = Callable[[Value], bool]  # whether a weight's elements may be stored in another order


def flattened(node: Node, role: Role, storable: Storable) -> Fit | None:
    """The fit of a reshape (n, ...) -> (n, all the rest) that is read by dense layers alone, through what does not care
    for the order; None for any other."""
    x, y = node.operand("x").type, node.output.type
    sizes = tuple(d for d in x.shape[1:] if isinstance(d, int))
    if role.rank != x.rank or role.lead != 1 or y.rank != 2 or len(sizes) < x.rank - 1:
        return None
    weights = _readers(node.output) if same(x.shape[0], y.shape[0]) is True else None
    if not weights or not all(map(storable, weights)) or not _read_by(weights, node.output):
        return None

    def make(b: Builder, node: Node, operands: Operands, layout: Layout) -> tuple[Value, ...]:
        return (b.op(node.op, operands["x"], **node.attrs),)

    return Fit({"x": role}, (None,), make=make, absorbed=Absorbed(tuple(weights), sizes))


def _readers(value: Value) -> dict[Value, None] | None:
    """The weights of the dense layers that read a value, perhaps element by element before; None if others read it."""
    found: dict[Value, None] = {}
    for use in value.uses:
        node = use.user
        if not isinstance(node, Node):
            return None
        if node.op.name == "linear" and use.key == "x":
            found[node.operand("weight")] = None
        elif _keeps_places(node, value):
            inner = _readers(node.output)
            if inner is None:
                return None
            found.update(inner)
        else:
            return None
    return found


def _keeps_places(node: Node, value: Value) -> bool:
    """Whether a node does the same to every element of a value."""
    if node.op.name == "dropout":
        return not node.attrs["broadcast_axes"]
    others = [v for operand in node.operands.values() for v in listed(operand) if v is not value]
    single = all(d == 1 for v in others for d in v.type.shape)
    same_shape = node.outputs[0].type.shape == value.type.shape
    return same_shape and single and (is_elementwise(node) or node.op.name in ("identity", "stop_gradient"))


def _read_by(weights: dict[Value, None], value: Value) -> bool:
    """Whether nothing but dense layers fed by the value reads the weights."""
    return all(
        isinstance(u.user, Node) and u.user.op.name == "linear" and u.key == "weight" and _fed(u.user, value)
        for w in weights for u in w.uses
    )  # fmt: skip


def _fed(layer: Node, value: Value) -> bool:
    """Whether the operand of a layer comes from the value; everything on the way keeps the places."""
    x = layer.operand("x")
    while x is not value:
        node = x.producer
        if node is None or not (is_elementwise(node) or node.op.name in ("dropout", "identity", "stop_gradient")):
            return False
        wide = [v for operand in node.operands.values() for v in listed(operand) if v.type.shape == x.type.shape]
        if len(wide) != 1:
            return False
        (x,) = wide
    return True
