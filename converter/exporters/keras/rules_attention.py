"""Scaled dot-product attention."""

from __future__ import annotations

import math
from typing import Any

from converter.exporters.code.expr import Expr, Name, hole, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import form, rule
from converter.exporters.outline.instances import Form
from ir.core import Node


def _drops(node: Node) -> bool:
    return bool(node.attrs["dropout"]) and not node.attrs["frozen"]


def _accepts(node: Node) -> str | None:
    query, key, mask = node.operand("query").type, node.operand("key").type, node.operands["mask"]
    if query.dtype.name != "float32" or (mask is not None and mask.type.dtype.name not in ("bool", "float32")):
        return "attention in other floats than float32 is made of smaller operations"
    if not isinstance(query.shape[-1], int) and node.attrs["scale"] is None:
        return "the number of features is not known"
    if node.attrs["grouped"] and not all(isinstance(t.shape[-3], int) for t in (query, key)):
        return "the numbers of heads are not known"
    inside = node.graph is not None and node.graph.parent is not None
    return "dropout inside control flow is no layer of Keras" if _drops(node) and inside else None


@rule("attention", accepts=_accepts)
def attention(c: Context, node: Node) -> Expr:
    return _call(c, node, {})


@form("attention")
def attention_dropout(node: Node) -> Form | None:
    """The layer that drops weights in training."""
    if not _drops(node) or _accepts(node):
        return None
    ctor = Name("layers.Dropout")(hole(node.attrs["dropout"], "dropout"))
    return Form(ctor, call=lambda c, layer: _call(c, node, {"dropout": layer, "training": c.training()}))


def _call(c: Context, node: Node, settings: dict[str, Any]) -> Expr:
    a = node.attrs
    query, key, value = (c.x(node.operand(k)) for k in ("query", "key", "value"))
    if a["grouped"]:
        heads = node.operand("query").type.shape[-3]
        counts = [node.operand(k).type.shape[-3] for k in ("key", "value")]
        key, value = (
            x if n == heads else OPS.repeat(x, lift(int(heads) // int(n)), axis=lift(-3))
            for x, n in zip((key, value), counts)
        )
    scale = a["scale"] if a["scale"] is not None else 1 / math.sqrt(int(node.operand("query").type.shape[-1]))
    mask = c.operand(node, "mask")
    if mask is not None:
        settings = {"mask": mask, **settings}
    settings = {"causal": hole(a["causal"], "causal", False)} | settings
    return c.helper("attention")(query, key, value, hole(scale, "scale"), **settings)
