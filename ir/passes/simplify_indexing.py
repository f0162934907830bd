"""Rules on reads by index vectors."""

from __future__ import annotations

from ir.core.builder import Builder
from ir.core.graph import Node, Value
from ir.passes.simplify_rules import Outcome, hit, made_by, rule, same_shape
from ir.types import Dim, dtypes, normalize_axes, normalize_axis, same


@rule("gather_nd")
def every_element_at_its_place(node: Node, b: Builder) -> Outcome:
    """`data[arange(n)[:, None], arange(m)]` is data: each index counts along an axis of its own, over a whole axis of data.

    Loops over positions that became index arithmetic (`torch.vmap` of a mask) end so.
    """
    data, indices = node.operand("data"), node.operand("indices")
    parts = _components(indices)
    if node.attrs["batch_dims"] or parts is None:
        return None
    found = [_counts(part) for part in parts]
    axes = [axis for axis, _ in (f for f in found if f is not None)]
    if len(axes) < len(found) or axes != sorted(set(axes)):
        return None
    whole = all(f is not None and same(f[1], size) is True for f, size in zip(found, data.type.shape))
    if not whole:
        return None
    others = tuple(a for a in range(indices.type.rank - 1) if a not in axes)
    placed = b.unsqueeze(data, axes=others) if others else data
    if not same_shape(placed.type.shape, node.output.type.shape):
        placed = b.expand(placed, shape=node.output.type.shape)
    return hit(placed, "every element is read at its own place")


def _components(indices: Value) -> list[Value] | None:
    """The parts of index vectors, each with a last axis of 1; None when they are not put together from such."""
    joined = made_by(indices, "concat")
    if joined is None:
        return [indices] if indices.type.rank > 1 and indices.type.shape[-1] == 1 else None
    if normalize_axis(joined.attrs["axis"], indices.type.rank) != indices.type.rank - 1:
        return None
    parts = list(joined.operands["xs"])
    return parts if all(p.type.shape[-1] == 1 for p in parts) else None


def _counts(value: Value) -> tuple[int, Dim] | None:
    """The axis along which a value is 0, 1, 2, ... and the count; along its other axes it is constant. None: not so."""
    node = value.producer
    if node is None:
        return None
    if node.op.name == "arange":
        return (0, value.type.shape[0]) if node.attrs["start"] == 0 and node.attrs["step"] == 1 else None
    if node.op.name not in ("unsqueeze", "expand", "cast"):
        return None
    inner = _counts(node.operand("x"))
    if inner is None:
        return None
    axis, count = inner
    rank = value.type.rank
    if node.op.name == "unsqueeze":
        new = normalize_axes(node.attrs["axes"], rank)
        axis = [a for a in range(rank) if a not in new][axis]
    elif node.op.name == "expand":
        axis += rank - node.operand("x").type.rank
    elif value.type.dtype != dtypes.int64:
        return None  # a narrower type may wrap
    return (axis, count) if same(value.type.shape[axis], count) is True else None
