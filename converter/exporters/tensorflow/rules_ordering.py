"""Positions of extremes, running totals, sorting. TensorFlow leaves the order of NaN open; helpers put it last."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.tensorflow.context import MATH, TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node


@rule("argmax", "argmin")
def position(c: Context, node: Node) -> Expr:
    """`tf.argmax(x, axis=1)` of integers; of floats a helper finds NaN first."""
    a, x, out = node.attrs, node.operand("x"), node.output.type
    if 0 in x.type.shape:
        return TF.zeros(lift(c.shape(out.shape)), c.dtype(out.dtype))
    axis = a["axis"] % x.type.rank
    if x.type.dtype.is_float or a["select_last"]:
        settings: dict[str, Any] = {} if node.op.name == "argmax" else {"largest": lift(False)}
        settings |= {"last": lift(True)} if a["select_last"] else {}
        found: Expr = c.helper("place_of")(c.x(x), hole(axis, "axis"), **settings)
    else:
        found = getattr(TF, node.op.name)(c.x(x), axis=hole(axis, "axis"))
    return TF.expand_dims(found, hole(axis, "axis")) if a["keepdims"] else found


AT_ZERO = "an element of a running product that is 0 has no gradient in TensorFlow, which the source may give it"


@rule("cumsum", "cumprod")
def running(c: Context, node: Node) -> Expr:
    a = node.attrs
    function = TF.cumsum if node.op.name == "cumsum" else MATH.cumprod
    if node.op.name == "cumprod" and node.output.type.dtype.is_float:
        c.note(AT_ZERO)
    flags = {k: lift(True) for k in ("exclusive", "reverse") if a[k]}
    return function(c.x(node.operand("x")), axis=hole(a["axis"], "axis", 0), **flags)


@rule("sort")
def sort(c: Context, node: Node) -> tuple[Expr | None, ...]:
    a, x = node.attrs, node.operand("x")
    values, places = (bool(v.uses) for v in node.outputs)
    axis = hole(a["axis"], "axis", -1)
    down = {"direction": lift("DESCENDING")} if a["descending"] else {}
    if values and not places and x.type.dtype.is_integer:
        return TF.sort(c.x(x), axis=axis, **down), None
    return _ordered(c, node, c.dim(x.type.shape[a["axis"]], "count"), a["descending"])


@rule("top_k")
def top_k(c: Context, node: Node) -> tuple[Expr | None, ...]:
    a, x = node.attrs, node.operand("x")
    count = c.dim(a["k"], "k")
    if a["largest"] and a["axis"] % x.type.rank == x.type.rank - 1 and x.type.dtype.is_integer:
        best = MATH.top_k(c.x(x), count)
        values, places = c.unpack(best, [bool(v.uses) for v in node.outputs], "best")
        return values, None if places is None else c.cast(places, node.outputs[1].type.dtype)
    return _ordered(c, node, count, a["largest"])


def _ordered(c: Context, node: Node, count: Expr, largest: bool) -> tuple[Expr | None, ...]:
    """The elements at the places that a helper finds, and these."""
    x, axis = c.name_once(c.x(node.operand("x"))), hole(node.attrs["axis"] % node.operand("x").type.rank, "axis")
    settings = {} if largest else {"largest": lift(False)}
    places: Expr = c.helper("best_places")(x, count, axis, **settings)
    if not node.outputs[0].uses:
        return None, places
    places = c.assign(places, "places", fold=not node.outputs[1].uses)
    return c.helper("take_elements")(x, places, axis), places
