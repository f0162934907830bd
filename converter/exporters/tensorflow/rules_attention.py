"""Scaled dot-product attention."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.tensorflow.context import TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node, Value


def _accepts(node: Node) -> str | None:
    heads = [node.operand(k).type.shape for k in ("query", "key", "value")]
    if node.attrs["grouped"] and not all(isinstance(s[-3], int) for s in heads):
        return "the numbers of heads are not known"
    return None


@rule("attention", accepts=_accepts)
def attention(c: Context, node: Node) -> Expr:
    a = node.attrs
    settings: dict[str, Any] = {"scale": hole(a["scale"], "scale", None)}
    if (mask := c.operand(node, "mask")) is not None:
        settings["mask"] = mask
    settings["causal"] = hole(a["causal"], "causal", False)
    if a["dropout"] and not a["frozen"]:
        settings |= {"dropout": hole(a["dropout"], "dropout"), "training": c.training()}
    query = node.operand("query")
    key, value = (_repeated(node, c, node.operand(k), query) for k in ("key", "value"))
    return c.helper("attention")(c.x(query), key, value, **settings)


def _repeated(node: Node, c: Context, x: Value, query: Value) -> Expr:
    """Each head as often as there are query heads that it serves."""
    if not node.attrs["grouped"]:
        return c.x(x)
    times = int(query.type.shape[-3]) // int(x.type.shape[-3])
    return c.x(x) if times == 1 else TF.repeat(c.x(x), hole(times, "times"), axis=lift(-3))
