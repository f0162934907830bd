"""What spatial rules of any framework share: settings in brief, padding as far as it is known."""

from __future__ import annotations

from collections.abc import Sequence

from ir.core import Node
from ir.ops.axes import DimPairs, explicit_padding, spatial_sizes
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
