"""Convolutions with gaps, which TensorFlow spells as convolutions of every n-th element laid out as batches of their own."""

from __future__ import annotations

from collections.abc import Sequence

from ir.core import Value
from ir.core.graph import Node
from ir.passes.base import Rewriter
from ir.passes.simplify_rules import made_by
from ir.types import Dim, same


def with_gaps(node: Node, rewriter: Rewriter) -> list[Node]:
    """Where a convolution lies between two layouts by blocks that undo each other, one with these blocks as dilations.

    `node` is the last reshape of the layout back. What it replaced: nodes that may be unread now.
    """
    layer, block = _laid_back(node)
    if layer is None or not block:
        return []
    source = _laid_out(layer.operand("x"), block)
    if source is None or not _plain(layer):
        return []
    attrs = dict(layer.attrs)
    rest = len(attrs["dilations"]) - len(block)
    attrs["dilations"] = (*block, *attrs["dilations"][len(block) :]) if rest else tuple(block)
    before, after, cut = _around(node, source, len(block))
    pad = made_by(source, "pad")
    last, end = node, node
    if pad is not None and cut is not None and all(isinstance(n, int) and n >= 0 for n in (*before, *after)):
        attrs["padding"] = (*zip(before, after, strict=True), *((0, 0),) * rest)
        source, last = pad.operand("x"), cut
    made = rewriter.builder(last).conv(source, layer.operand("weight"), None, **attrs)
    if not _alike(made, last.output):
        return [made.producer] if made.producer is not None else []
    rewriter.replace(last, [made], "with_gaps", "every n-th element is a batch of its own, and laid back afterwards")
    return [end, layer]


def _alike(a: Value, b: Value) -> bool:
    return a.type.rank == b.type.rank and all(
        same(x, y) is True for x, y in zip(a.type.shape, b.type.shape, strict=True)
    )


def _plain(layer: Node) -> bool:
    attrs = layer.attrs
    return (
        attrs["layout"] == "channels_last"
        and attrs["padding"] == "valid"
        and not any(n != 1 for n in (*attrs["strides"], *attrs["dilations"]))
        and layer.operands["bias"] is None
        and len(layer.output.uses) == 1
    )


def _laid_back(node: Node) -> tuple[Node | None, tuple[int, ...]]:
    """The convolution whose result the last of three nodes lays back, and the blocks."""
    turn = made_by(node.operand("x"), "transpose")
    first = made_by(turn.operand("x"), "reshape") if turn is not None else None
    layer = made_by(first.operand("x"), "conv") if first is not None else None
    if turn is None or first is None or layer is None:
        return None, ()
    count = (first.output.type.rank - layer.output.type.rank) // 1
    if not 1 <= count <= layer.output.type.rank - 2:
        return None, ()
    tail = layer.output.type.rank - 1 - count
    order = [k for i in range(count) for k in (count + 1 + i, i)]
    if tuple(turn.attrs["perm"]) != (count, *order, *range(2 * count + 1, 2 * count + 1 + tail)):
        return None, ()
    block = first.output.type.shape[:count]
    batch, inner, outer = (
        layer.output.type.shape[0],
        layer.output.type.shape[1 : 1 + count],
        first.output.type.shape[count:],
    )
    whole = _product(block)
    fits = same(outer[0] * whole, batch) and all(same(a, b) for a, b in zip(inner, outer[1:], strict=False))
    sizes = [n * k for n, k in zip(inner, block, strict=True)]
    fits = fits and all(same(a, b) for a, b in zip(node.output.type.shape[1:], sizes, strict=False))
    if not fits or not all(isinstance(n, int) for n in block) or len(node.output.type.shape) != layer.output.type.rank:
        return None, ()
    return layer, tuple(int(n) for n in block if isinstance(n, int))


def _laid_out(value: Value, block: Sequence[int]) -> Value | None:
    """What three nodes laid out by these blocks."""
    last = made_by(value, "reshape")
    turn = made_by(last.operand("x"), "transpose") if last is not None else None
    first = made_by(turn.operand("x"), "reshape") if turn is not None else None
    if last is None or turn is None or first is None:
        return None
    source, count = first.operand("x"), len(block)
    rank = source.type.rank
    shape = first.output.type.shape
    perm = (*range(2, 2 + 2 * count, 2), 0, *range(1, 1 + 2 * count, 2), *range(1 + 2 * count, rank + count))
    if first.output.type.rank != rank + count or tuple(turn.attrs["perm"]) != perm or value.type.rank != rank:
        return None
    if tuple(shape[2 : 2 + 2 * count : 2]) != tuple(block) or not same(shape[0], source.type.shape[0]):
        return None
    fits = same(value.type.shape[0], shape[0] * _product(block))
    fits = fits and all(same(a, b) for a, b in zip(value.type.shape[1 : 1 + count], shape[1::2], strict=False))
    return source if fits else None


def _product(sizes: Sequence[Dim]) -> Dim:
    total: Dim = 1
    for n in sizes:
        total = total * n
    return total


def _around(node: Node, source: Value, count: int) -> tuple[list[Dim], list[Dim], Node | None]:
    """What a padding with zeros before the layout, less what is cut after it, adds around; and the cutting node."""
    pad = made_by(source, "pad")
    uses = node.output.uses
    cut = (
        uses[0].user if len(uses) == 1 and isinstance(uses[0].user, Node) and uses[0].user.op.name == "slice" else None
    )
    if pad is None or pad.attrs["mode"] != "constant" or pad.attrs["value"] != 0:
        return [], [], None
    pairs = pad.attrs["pads"]
    if any(pair != (0, 0) for i, pair in enumerate(pairs) if not 1 <= i <= count):
        return [], [], None
    if cut is None or tuple(cut.attrs["axes"]) != tuple(range(1, 1 + count)) or any(s != 1 for s in cut.attrs["steps"]):
        return [p for p, _ in pairs[1 : 1 + count]], [n for _, n in pairs[1 : 1 + count]], node
    before, after = [], []
    for i, (start, stop) in enumerate(zip(cut.attrs["starts"], cut.attrs["stops"], strict=True), 1):
        size = node.output.type.shape[i]
        low, high = pairs[i]
        before.append(low - (0 if start is None else start))
        after.append(high - (0 if stop is None else size - stop))
    return before, after, cut
