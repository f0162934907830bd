"""How a node can run in either layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ir.core.builder import Builder
from ir.core.graph import Node, Value
from ir.ops.axes import Layout
from ir.passes.constants import constant_of
from ir.passes.layout.roles import Perm, Role
from ir.types import Shape, TensorType

ELEMENTWISE = ("elementwise", "arithmetic", "activation", "comparison", "logic", "cast", "special")
_PLACED = {"axis", "axes", "layout", "shape", "broadcast_axes"}  # attributes that say where an axis lies
Operands = Mapping[str, Any]
Make = Callable[[Builder, Node, Operands, Layout], tuple[Value, ...]]


def _no_attrs(layout: Layout) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Absorbed:
    """Weights of dense layers whose inputs are a map's elements in a row: they are stored in the order of the layout.

    `sizes` are those of the map behind the batch, as the source orders them.
    """

    weights: tuple[Value, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Fit:
    """What follows the layout at a node: operands and outputs by role, and the attributes that say where an axis lies.

    `ins`: the operands that follow it (a role for each value of a variadic one, where they differ); those of lower rank are
    aligned at the right where `aligned`. `outs`: the role of
    each output, None where it is the same in both layouts. `attrs(layout)` are the attributes that change. `only`: the
    one layout in which the node can run. `surcharge`: bytes that it costs more in a layout. `make` builds what is no
    longer one node of the same op; `rewritten` is the layout in which it is another op. `absorbed`: weights that take the
    order of the axes in their place. `branches`: its bodies are laid anew, too.
    """

    ins: Mapping[str, Role | tuple[Role | None, ...]]
    outs: tuple[Role | None, ...]
    attrs: Callable[[Layout], dict[str, Any]] = _no_attrs
    aligned: bool = False
    only: Layout | None = None
    surcharge: tuple[Layout, float] | None = None  # times the bytes of the first output
    make: Make | None = None
    rewritten: Layout | None = None
    absorbed: Absorbed | None = None
    branches: bool = False

    @property
    def roles(self) -> list[Role]:
        """Every role at the node."""
        ins = [r for role in self.ins.values() for r in (role if isinstance(role, tuple) else (role,))]
        return [r for r in (*ins, *self.outs) if r is not None]

    def role_at(self, name: str, index: int | None) -> Role | None:
        """The role of an operand, of the value at `index` of a variadic one; None where it does not follow."""
        role = self.ins.get(name)
        return role[index or 0] if isinstance(role, tuple) else role

    def operands(self, node: Node) -> Iterator[tuple[Value, Role]]:
        """The operands that follow the layout."""
        for name in self.ins:
            for i, value in enumerate(listed(node.operands[name])):
                role = self.role_at(name, i)
                if role is not None:
                    yield value, role


def listed(operand: Any) -> tuple[Value, ...]:
    """An operand as the values it holds."""
    return operand if isinstance(operand, tuple) else () if operand is None else (operand,)


def is_free(value: Value) -> bool:
    """Whether a value is a weight or a constant, perhaps rearranged: it can be stored in any order."""
    node = value.producer
    if node is not None and node.op.name in ("transpose", "unsqueeze", "squeeze", "reshape"):
        return is_free(node.operand("x"))
    return value.is_weight or constant_of(value) is not None or (node is not None and node.op.name == "full")


def aligned_shape(shape: Shape, order: Perm) -> Shape:
    """The shape that broadcasts in this order as `shape`, aligned at the right, does in the order of the source.

    What has all axes keeps their number; of less, leading axes of size 1 go.
    """
    missing = len(order) - len(shape)
    wide = [1 if a < missing else shape[a - missing] for a in order]
    first = next((i for i, d in enumerate(wide) if d != 1), len(wide))
    kept = tuple(wide[first:])
    return (1,) * (len(shape) - len(kept)) + kept if not missing else kept


def keeps_order(shape: Shape, order: Perm) -> bool:
    """Whether a value of this shape, aligned at the right, only needs another shape to be read in this order."""
    missing = len(order) - len(shape)
    axes = [a - missing for a in order if a >= missing and shape[a - missing] != 1]
    return axes == sorted(axes)


def permuted(t: TensorType, order: Perm) -> TensorType:
    """The type as stored in this order."""
    return t.with_shape(tuple(t.shape[a] for a in order))


def is_elementwise(node: Node) -> bool:
    """Whether each element of the result depends only on the elements at its place."""
    placed = any(a.name in _PLACED for a in node.op.attributes)
    return node.op.family in ELEMENTWISE and not placed and not node.op.random and len(node.outputs) == 1
