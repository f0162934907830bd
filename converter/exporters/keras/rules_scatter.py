"""Writing by index and by mask. Where Keras' backends differ (negative and repeated indices, what lies outside, maxima
and minima) helpers put the updates in order first, so that all of them give what the op means."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.index_facts import never_negative, repeats
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.rules_indexing import NATIVE, as_index, index_settings, tell
from converter.exporters.keras.table import rule
from ir.core import Node

_ADDED = ("int32", "int64", "float32", "float64")


def _settings(c: Context, node: Node) -> dict[str, Any]:
    a = node.attrs
    found = index_settings(c, node)
    if a["reduction"] != "none":
        found["reduction"] = lift(a["reduction"])
    elif not repeats(node):
        found["unique"] = lift(True)
    if not a["include_self"] and a["reduction"] != "none":
        found["include_self"] = lift(False)
    return found


def _native(c: Context, node: Node) -> bool:
    """Whether Keras' own function writes this the same way on every backend."""
    a, indices = node.attrs, node.operand("indices")
    if a["bounds"] not in NATIVE or (c.strict and a["bounds"] == "error") or not never_negative(indices):
        return False
    if indices.type.rank != 2 or indices.type.shape[-1] == 0 or 0 in node.output.type.shape:
        return False
    if a["reduction"] == "add":
        return bool(a["include_self"]) and node.output.type.dtype.name in _ADDED
    return a["reduction"] == "none" and not repeats(node)


@rule("scatter_nd")
def scatter_nd(c: Context, node: Node) -> Expr:
    tell(c, node)
    data, indices, updates = (node.operand(k) for k in ("data", "indices", "updates"))
    if 0 in updates.type.shape:
        return c.x(data)
    operands = (c.x(data), as_index(c, indices), c.x(updates))
    if _native(c, node):
        added = {"reduction": lift("add")} if node.attrs["reduction"] == "add" else {}
        return OPS.scatter_update(*operands, **added)
    return c.helper("scatter_rows")(*operands, **_settings(c, node))


@rule("scatter_elements")
def scatter_elements(c: Context, node: Node) -> Expr:
    tell(c, node)
    data, indices, updates = (node.operand(k) for k in ("data", "indices", "updates"))
    if 0 in updates.type.shape or 0 in data.type.shape:
        return c.x(data)
    axis = hole(node.attrs["axis"] % data.type.rank, "axis")
    return c.helper("scatter_elements")(c.x(data), as_index(c, indices), c.x(updates), axis, **_settings(c, node))


@rule("mask_fill")
def mask_fill(c: Context, node: Node) -> Expr:
    return OPS.where(c.x(node.operand("mask")), c.x(node.operand("value")), c.x(node.operand("data")))


@rule("mask_scatter")
def mask_scatter(c: Context, node: Node) -> Expr:
    operands = (c.x(node.operand(k)) for k in ("data", "mask", "source"))
    return c.helper("mask_scatter")(*operands)
