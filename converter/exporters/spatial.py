"""What spatial rules of any framework share: settings in brief, padding as far as it is known."""

from __future__ import annotations

from collections.abc import Sequence

from ir.core import Node
from ir.ops.axes import DimPairs, effective, explicit_padding, spatial_sizes
from ir.types import Dim, DimExpr


def squash(values: Sequence[int]) -> int | tuple[int, ...]:
    """One number where all axes agree, as constructors accept."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def static_pads(node: Node, window: Sequence[Dim]) -> DimPairs | None:
    """(before, after) of each spatial axis; None where they depend on the size of the input at run time."""
    a = node.attrs
    x = node.operand("x")
    sizes = spatial_sizes(x.type.shape, a.get("layout", "channels_first"))
    dilations = a["dilations"] or (1,) * len(sizes)
    pads = explicit_padding(a["padding"], sizes, window, a["strides"], dilations)
    return None if any(isinstance(p, DimExpr) for pair in pads for p in pair) else pads


def symmetric(pads: DimPairs) -> bool:
    """Whether both sides are padded alike."""
    return all(before == after for before, after in pads)


def dilations_of(node: Node, window: Sequence[int]) -> tuple[int, ...]:
    """The dilation of each spatial axis."""
    return tuple(node.attrs.get("dilations") or (1,) * len(window))


def own_padding(node: Node, window: Sequence[int]) -> str | None:
    """`"valid"` or `"same"` where that is exactly the node's padding, whatever sizes its input may have; else None."""
    padding = node.attrs["padding"]
    if padding in ("valid", "same_upper"):
        return "valid" if padding == "valid" else "same"
    pads = static_pads(node, window)
    if pads is None:
        return None
    if not any(p for pair in pads for p in pair):
        return "valid"
    return "same" if tuple(pads) == _same(node, window) else None


def _same(node: Node, window: Sequence[int]) -> DimPairs:
    """The pads of "same". With strides of 1 they are the same for all sizes; else sizes must be known."""
    a = node.attrs
    x = node.operand("x")
    sizes = spatial_sizes(x.type.shape, a["layout"])
    dilations = dilations_of(node, window)
    if all(s == 1 for s in a["strides"]):
        extents = [int(effective(w, d)) for w, d in zip(window, dilations)]
        return tuple(((e - 1) // 2, e - 1 - (e - 1) // 2) for e in extents)
    return explicit_padding("same_upper", sizes, window, a["strides"], dilations)


def last_shape(node: Node) -> tuple[int | None, ...]:
    """The shape of the input with its channels last, None for sizes that vary."""
    shape = node.operand("x").type.shape
    order = shape if node.attrs["layout"] == "channels_last" else (shape[0], *shape[2:], shape[1])
    return tuple(d if isinstance(d, int) else None for d in order)
