"""Padding by known widths."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Lit, Slice, hole, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from ir.core import Node


def _known(node: Node) -> str | None:
    """Widths that only the run knows, and sizes where the padding is made of what is there."""
    pads, mode = node.attrs["pads"], node.attrs["mode"]
    if not all(isinstance(p, int) for pair in pads for p in pair):
        return "Keras pads by widths that are known"
    if mode == "constant":
        return None
    sizes = node.operand("x").type.shape
    known = all(isinstance(d, int) and d > 0 for d, pair in zip(sizes, pads) if any(pair))
    return None if known else "padding by what is there needs sizes that are known"


@rule("pad", accepts=_known)
def pad(c: Context, node: Node) -> Expr:
    """What is negative is cut off before."""
    a, x = node.attrs, c.x(node.operand("x"))
    pads = [(int(p), int(q)) for p, q in a["pads"]]
    if a["mode"] != "constant":
        return c.helper("pad_by_index")(x, lift(pads), mode=lift(a["mode"])) if any(map(any, pads)) else x
    if any(p < 0 for pair in pads for p in pair):
        x = x[tuple(Slice(Lit(-p) if p < 0 else None, Lit(q) if q < 0 else None) for p, q in pads)]
    widths = tuple((max(p, 0), max(q, 0)) for p, q in pads)
    if not any(p for pair in widths for p in pair):
        return x
    return OPS.pad(x, lift(widths), constant_values=hole(a["value"], "value", 0))
