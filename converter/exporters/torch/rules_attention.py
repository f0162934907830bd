"""Scaled dot-product attention."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, IfElse, hole, lift
from converter.exporters.torch.context import SELF, Context, F
from converter.exporters.torch.table import rule
from ir.core import Node


def _accepts(node: Node) -> str | None:
    if node.attrs["causal"] and node.operands["mask"] is not None:
        return "torch takes a mask or the causal one, not both"
    if min(node.operand(k).type.rank for k in ("query", "key", "value")) < 3:
        return "torch's attention has a batch or head axis"
    if node.attrs["grouped"] and node.operand("query").type.rank < 4:
        return "torch groups heads over a batch axis"
    return None


@rule("attention", accepts=_accepts)
def attention(c: Context, node: Node) -> Expr:
    a = node.attrs
    settings: dict[str, Any] = {}
    mask = c.operand(node, "mask")
    if mask is not None:
        settings["attn_mask"] = mask
    if a["dropout"] and not a["frozen"]:
        settings["dropout_p"] = IfElse(SELF.training, hole(a["dropout"], "dropout"), lift(0.0))
    settings["is_causal"] = hole(a["causal"], "is_causal", False)
    settings["scale"] = hole(a["scale"], "scale", None)
    settings["enable_gqa"] = hole(a["grouped"], "enable_gqa", False)
    query, key, value = (c.x(node.operand(k)) for k in ("query", "key", "value"))
    return F.scaled_dot_product_attention(query, key, value, **settings)
