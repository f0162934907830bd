"""Positions of extremes, running totals, sorting."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, Index, Slice, hole, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from ir.core import Node


@rule("argmax", "argmin")
def position(c: Context, node: Node) -> Expr:
    """By a helper: of equal elements Keras' backends leave open which is found, and -0 counts as less than 0."""
    a, x = node.attrs, node.operand("x")
    axis = a["axis"] % x.type.rank
    if 0 in x.type.shape:
        return OPS.zeros(lift(tuple(c.shape(node.output.type.shape))), dtype=c.dtype(node.output.type.dtype))
    settings: dict[str, Any] = {} if node.op.name == "argmax" else {"largest": lift(False)}
    if a["select_last"]:
        settings["last"] = lift(True)
    if a["keepdims"]:
        settings["keepdims"] = lift(True)
    return c.helper("place_of")(c.x(x), hole(axis, "axis"), **settings)


def _plain(node: Node) -> str | None:
    a = node.attrs
    return "Keras' running totals are inclusive and forward" if a["exclusive"] or a["reverse"] else None


AT_ZERO = (
    "an element of a running product that is 0 has no gradient in Keras on TensorFlow, which the source may give it"
)


@rule("cumsum", "cumprod", accepts=_plain)
def running(c: Context, node: Node) -> Expr:
    """Of 64-bit numbers by a helper: on PyTorch Keras' own cuts them to 32."""
    x = node.operand("x")
    axis = hole(node.attrs["axis"], "axis")
    if node.op.name == "cumprod" and x.type.dtype.name in ("float32", "float16", "bfloat16"):
        c.note(AT_ZERO)
    if x.type.dtype.name in ("int64", "float64"):
        step = OPS.add if node.op.name == "cumsum" else OPS.multiply
        return c.x(x) if 0 in x.type.shape else c.helper("running")(c.x(x), axis, step)
    return getattr(OPS, node.op.name)(c.x(x), axis=axis)


@rule("sort")
def sort(c: Context, node: Node) -> tuple[Expr | None, ...]:
    a, x = node.attrs, node.operand("x")
    descending = {"descending": lift(True)} if a["descending"] else {}
    result = c.helper("ordered")(c.x(x), hole(a["axis"] % x.type.rank, "axis"), **descending)
    return c.unpack(result, [bool(v.uses) for v in node.outputs], "sorted")


@rule("top_k")
def top_k(c: Context, node: Node) -> tuple[Expr | None, ...]:
    """By a stable sort: `ops.top_k` leaves the order of equal elements open."""
    a, x = node.attrs, node.operand("x")
    axis = a["axis"] % x.type.rank
    descending = {"descending": lift(True)} if a["largest"] else {}
    result = c.helper("ordered")(c.x(x), hole(axis, "axis"), **descending)
    parts = c.unpack(result, [bool(v.uses) for v in node.outputs], "sorted")
    first = (*(Slice() for _ in range(axis)), Slice(None, c.dim(a["k"], "k")))
    return tuple(None if p is None else Index(p, first) for p in parts)
