"""Reading by index and by mask. Keras' backends differ in what lies outside an axis and in negative indices: what the
op leaves open prints as Keras' own function, all else by helpers that put indices in range first."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, Lit, hole, lift
from converter.exporters.index_facts import never_negative
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from ir.core import Node, Value
from ir.types import dtypes

NATIVE = ("error", "unchecked")
OUTSIDE = (
    "an index out of range is an error in the source; Keras' backends differ in what they make of it (JAX reads NaN and "
    "drops writes), and may count negative ones from the end (--index-policy strict checks indices wherever a call is not "
    "traced)"
)
TRACED = "indices out of range are refused, except where Keras traces the call (fit, predict, compiled functions)"


def as_index(c: Context, value: Value) -> Expr:
    """Indices in a type that every backend takes."""
    x = c.x(value)
    return x if value.type.dtype.name in ("int64", "int32") else c.cast(x, dtypes.int32)


def tell(c: Context, node: Node) -> None:
    """Note what happens to indices out of range where that is an error in the source."""
    if node.attrs["bounds"] == "error":
        c.note(TRACED if c.strict else OUTSIDE)


def index_settings(c: Context, node: Node) -> dict[str, Any]:
    """Keyword arguments of the helpers, defaults left out."""
    a = node.attrs
    checked = a["bounds"] != "error" or c.strict or _nothing_to_read(node)
    settings: dict[str, Any] = {}
    if not checked or a["bounds"] != "error":
        settings["bounds"] = lift(a["bounds"] if checked else "unchecked")
    if a["neg"] != "from_end":
        settings["from_end"] = lift(False)
    if a["bounds"] == "fill":
        settings["fill"] = lift(a["fill_value"])
    return settings


def _nothing_to_read(node: Node) -> bool:
    """Whether the axis that is read has no elements, for certain."""
    return node.op.name == "gather" and node.operand("data").type.shape[node.attrs["axis"]] == 0


def _plain(c: Context, node: Node) -> bool:
    """Whether Keras' own functions do, which all count negative indices from the end."""
    tell(c, node)
    checked = node.attrs["bounds"] == "error" and (c.strict or _nothing_to_read(node))
    return node.attrs["bounds"] in NATIVE and not checked


def _all_filled(c: Context, node: Node) -> Expr | None:
    """The result where an axis has nothing to read."""
    a, data = node.attrs, node.operand("data").type
    empty = 0 in data.shape if node.op.name != "gather" else data.shape[a["axis"]] == 0
    if not empty or (a["bounds"] != "fill" and 0 not in node.output.type.shape):
        return None
    return OPS.full(lift(tuple(c.shape(node.output.type.shape))), lift(a["fill_value"]), dtype=c.dtype(data.dtype))


@rule("gather")
def gather(c: Context, node: Node) -> Expr:
    a, data = node.attrs, node.operand("data")
    axis = a["axis"] % data.type.rank
    index = as_index(c, node.operand("indices"))
    empty = _all_filled(c, node)
    if empty is not None:
        return empty
    if _plain(c, node) and not a["batch_dims"]:
        return OPS.take(c.x(data), index, axis=hole(axis, "axis"))
    if a["batch_dims"]:
        return c.helper("take_batched")(c.x(data), index, lift(axis), lift(a["batch_dims"]), **index_settings(c, node))
    return c.helper("take")(c.x(data), index, hole(axis, "axis"), **index_settings(c, node))


@rule("gather_elements")
def gather_elements(c: Context, node: Node) -> Expr:
    a, data, indices = node.attrs, node.operand("data"), node.operand("indices")
    axis = a["axis"] % data.type.rank
    pairs = zip(data.type.shape, indices.type.shape)
    whole = all(k == axis or d == i for k, (d, i) in enumerate(pairs))
    empty = _all_filled(c, node)
    if empty is not None:
        return empty
    if _plain(c, node) and whole:
        return OPS.take_along_axis(c.x(data), as_index(c, indices), axis=hole(axis, "axis"))
    return c.helper("take_elements")(c.x(data), as_index(c, indices), hole(axis, "axis"), **index_settings(c, node))


@rule("gather_nd")
def gather_nd(c: Context, node: Node) -> Expr:
    a = node.attrs
    tell(c, node)
    empty = _all_filled(c, node)
    if empty is not None:
        return empty
    batch = {"batch_dims": lift(a["batch_dims"])} if a["batch_dims"] else {}
    return c.helper("take_rows")(
        c.x(node.operand("data")), as_index(c, node.operand("indices")), **batch, **index_settings(c, node)
    )


@rule("compress")
def compress(c: Context, node: Node) -> Expr:
    data = node.operand("data")
    axis = lift(node.attrs["axis"] % data.type.rank)
    return OPS.take(c.x(data), OPS.nonzero(c.x(node.operand("mask")))[Lit(0)], axis=axis)


@rule("mask_select")
def mask_select(c: Context, node: Node) -> Expr:
    data, mask = node.operand("data"), node.operand("mask")
    rest = data.type.shape[mask.type.rank :]
    x, chosen = c.x(data), c.x(mask)
    if mask.type.rank != 1:
        count = lift(-1)
        for size in data.type.shape[: mask.type.rank]:
            count = c.dim(size) if count == lift(-1) else count * c.dim(size)
        count = lift(1) if mask.type.rank == 0 else count
        x = OPS.reshape(x, lift((count, *c.shape(rest))))
        chosen = OPS.reshape(chosen, lift((-1,)))
    return OPS.take(x, OPS.nonzero(chosen)[Lit(0)], axis=lift(0))


@rule("nonzero")
def nonzero(c: Context, node: Node) -> Expr:
    found = OPS.stack(OPS.nonzero(c.x(node.operand("data"))), axis=lift(-1))
    return c.cast(found, dtypes.int64)


def _uncounted(node: Node) -> str | None:
    return "an index out of range is looked for by a read" if node.attrs["bounds"] == "error" else None


@rule("one_hot", accepts=_uncounted)
def one_hot(c: Context, node: Node) -> Expr:
    a, indices = node.attrs, node.operand("indices")
    axis, rank = a["axis"] % (indices.type.rank + 1), indices.type.rank
    x, depth = as_index(c, indices), c.dim(a["depth"], "depth")
    kind = lift("int64" if indices.type.dtype == dtypes.int64 else "int32")
    if a["neg"] == "from_end" and not never_negative(indices):
        x = c.name_once(x, "index")
        x = OPS.where(x < 0, x + OPS.cast(depth, kind), x)
    ramp = OPS.arange(depth, dtype=kind)
    if axis != rank:
        ramp = OPS.reshape(ramp, lift(tuple(-1 if k == axis else 1 for k in range(rank + 1))))
    hot = OPS.equal(OPS.expand_dims(x, axis=lift(axis)), ramp)
    if (a["on"], a["off"]) == (1, 0):
        return hot if a["dtype"].is_bool else c.cast(hot, a["dtype"])
    on, off = (OPS.convert_to_tensor(lift(a[k]), dtype=c.dtype(a["dtype"])) for k in ("on", "off"))
    return OPS.where(hot, on, off)
