"""Reading by index and by mask. What an index outside the axis means is part of the op: torch's own behaviour is used
where it is the same, small helpers where it is not."""

from __future__ import annotations

from typing import Any

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Index, Slice, hole, lift
from converter.exporters.index_facts import repeats
from converter.exporters.torch.context import TORCH, Context, F
from converter.exporters.torch.table import rule
from ir.core import Node, Value
from ir.types import dtypes

NATIVE = {"error", "unchecked"}


def as_index(c: Context, value: Value) -> Expr:
    """Indices in a type torch takes: it reads 8-bit ones as a mask."""
    x = c.x(value)
    return x if value.type.dtype.name in ("int64", "int32") else x.long()


def as_int64(c: Context, value: Value) -> Expr:
    """Indices as int64."""
    x = c.x(value)
    return x if value.type.dtype.name == "int64" else x.long()


ORDER = (
    "where an index repeats, PyTorch leaves open which of the updates remains (and gives each its gradient), here the last "
    "(--index-policy strict keeps the last)"
)


def note_order(c: Context, node: Node) -> bool:
    """Whether a write may name a place twice, which is told where the source is not torch itself."""
    if not repeats(node):
        return False
    if not c.strict and c.model.metadata.get("framework") != "torch":
        c.note(ORDER)
    return True


def index_settings(node: Node) -> dict[str, Any]:
    """Keyword arguments of the helpers, defaults left out."""
    a = node.attrs
    settings: dict[str, Any] = {}
    if a["neg"] != "from_end":
        settings["from_end"] = lift(False)
    if a["bounds"] != "error":
        settings["bounds"] = lift(a["bounds"])
    if a["bounds"] == "fill":
        settings["fill"] = lift(a["fill_value"])
    return settings


@rule("gather")
def gather(c: Context, node: Node) -> Expr:
    a, data, indices = node.attrs, node.operand("data"), node.operand("indices")
    axis = a["axis"] % data.type.rank
    x = c.x(data)
    if a["batch_dims"] == 0 and a["bounds"] in NATIVE:
        if a["neg"] == "invalid" and a["bounds"] == "error" and indices.type.rank == 1:
            return x.index_select(hole(axis, "dim"), as_index(c, indices))
        if a["neg"] == "from_end" or a["bounds"] == "unchecked":
            return Index(x, (*(Slice() for _ in range(axis)), as_index(c, indices)))
    batch = {"batch_dims": lift(a["batch_dims"])} if a["batch_dims"] else {}
    return c.helper("gather")(x, c.x(indices), hole(axis, "dim"), **batch, **index_settings(node))


@rule("gather_elements")
def gather_elements(c: Context, node: Node) -> Expr:
    a, data, indices = node.attrs, node.operand("data"), node.operand("indices")
    axis = a["axis"] % data.type.rank
    if a["bounds"] in NATIVE and a["neg"] == "invalid":
        return c.x(data).gather(hole(axis, "dim"), as_int64(c, indices))
    return c.helper("gather_elements")(c.x(data), c.x(indices), hole(axis, "dim"), **index_settings(node))


@rule("gather_nd")
def gather_nd(c: Context, node: Node) -> Expr:
    a, data, indices = node.attrs, node.operand("data"), node.operand("indices")
    plain = a["batch_dims"] == 0 and indices.type.shape[-1] not in (0,) and isinstance(indices.type.shape[-1], int)
    if plain and a["bounds"] in NATIVE and (a["neg"] == "from_end" or a["bounds"] == "unchecked"):
        return c.x(data)[as_index(c, indices).unbind(-1)]
    batch = {"batch_dims": lift(a["batch_dims"])} if a["batch_dims"] else {}
    return c.helper("gather_nd")(c.x(data), c.x(indices), **batch, **index_settings(node))


@rule("mask_select")
def mask_select(c: Context, node: Node) -> Expr:
    return c.x(node.operand("data"))[c.x(node.operand("mask"))]


@rule("compress")
def compress(c: Context, node: Node) -> Expr:
    axis = node.attrs["axis"] % node.operand("data").type.rank
    return Index(c.x(node.operand("data")), (*(Slice() for _ in range(axis)), c.x(node.operand("mask"))))


@rule("nonzero")
def nonzero(c: Context, node: Node) -> Expr:
    return c.x(node.operand("data")).nonzero()


@rule("one_hot")
def one_hot(c: Context, node: Node) -> Expr:
    a, indices = node.attrs, node.operand("indices")
    depth = c.dim(a["depth"], "depth")
    axis = a["axis"] % (indices.type.rank + 1)
    own = (a["on"], a["off"], a["dtype"].name, a["neg"], a["bounds"]) == (1, 0, "int64", "invalid", "error")
    if own and axis == indices.type.rank and a["depth"] != 0:
        return F.one_hot(as_int64(c, indices), depth)
    place = {} if axis == indices.type.rank else {"dim": lift(axis)}
    from_end = {"from_end": lift(True)} if a["neg"] == "from_end" else {}
    checked = {"bounds": lift("error")} if a["bounds"] == "error" else {}
    hot: Expr = c.helper("one_hot")(c.x(indices), depth, **place, **from_end, **checked)
    dtype = c.dtype(a["dtype"])
    if a["dtype"].is_bool and a["on"] and not a["off"]:
        return hot
    if a["on"] == 1 and a["off"] == 0:
        return hot.to(dtype)
    hot = c.name_once(hot, "hot")
    on, off = (TORCH.tensor(lift(v), dtype=dtype, device=hot.device) for v in (a["on"], a["off"]))
    return TORCH.where(hot, on, off)


def _python_index(node: Node) -> str | None:
    """Why torch's own subscript does not mean the same."""
    a = node.attrs
    kinds = [entry[0] for entry in a["spec"]]
    if a["bounds"] not in NATIVE or a["neg"] != "from_end":
        return "torch's subscripts take negatives from the end and refuse what is outside"
    arrays = node.operands["arrays"]
    if any(v.type.dtype == dtypes.uint64 for v in arrays):
        return "torch's subscripts are signed"
    scalars = "int" in kinds or (len(arrays) > 1 and any(v.type.rank == 0 for v in arrays))
    apart = "ellipsis" in kinds and len(arrays) > 1  # one that stands for no axis separates in NumPy, not in torch
    if a["rule"] == "numpy" and arrays and (scalars or apart):
        return "NumPy counts a number among the index arrays, torch does not"
    if any(e[0] == "slice" and (e[3] or 1) < 0 for e in a["spec"]):
        return "torch takes no negative steps"
    return None


def _subscript(c: Context, node: Node) -> tuple[Any, ...]:
    parts: list[Any] = []
    for entry in node.attrs["spec"]:
        if entry[0] == "slice":
            start, stop = (None if v is None else c.dim(v, "bound") for v in entry[1:3])
            parts.append(Slice(start, stop, None if entry[3] in (None, 1) else lift(entry[3])))
        elif entry[0] == "int":
            parts.append(c.dim(entry[1], "index"))
        elif entry[0] == "array":
            value = node.operands["arrays"][entry[1]]
            parts.append(c.x(value) if value.type.dtype.is_bool else as_index(c, value))
        else:
            parts.append(lift(None) if entry[0] == "newaxis" else lift(Ellipsis))
    return tuple(parts)


@rule("index_get", accepts=_python_index)
def index_get(c: Context, node: Node) -> Expr:
    parts = _subscript(c, node)
    return c.x(node.operand("data"))[parts] if parts else c.x(node.operand("data"))


def _python_write(node: Node) -> str | None:
    integers = any(not v.type.dtype.is_bool for v in node.operands["arrays"])
    if node.attrs["reduction"] == "add" and integers and not node.attrs["unique"]:
        return "x[i] += y counts a place once"
    return _python_index(node)


@rule("index_put", accepts=_python_write)
def index_put(c: Context, node: Node) -> Expr:
    note_order(c, node)
    copy = c.assign(c.x(node.operand("data")).clone(), "updated")
    place = copy[_subscript(c, node) or (lift(Ellipsis),)]
    updates = c.x(node.operand("updates"))
    c.body.append(s.Assign(place, updates if node.attrs["reduction"] == "none" else place + updates))
    return copy
