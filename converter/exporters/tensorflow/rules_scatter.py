"""Writing by index and by mask, and reductions over segments. Where TensorFlow's functions leave something open (negative
and repeated indices, maxima of NaN, what is dropped) helpers put the updates in order first."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.index_facts import never_negative, repeats
from converter.exporters.tensorflow.context import MATH, TF, Context
from converter.exporters.tensorflow.indices import as_index, guards, index_settings, is_own, tell_write
from converter.exporters.tensorflow.rules_indexing import NATIVE
from converter.exporters.tensorflow.table import rule
from ir.core import Node

ORDER = (
    "where an index repeats, TensorFlow leaves open which of the updates remains (and gives each its gradient), here the last "
    "(--index-policy strict keeps the last)"
)
NEGATIVE = (
    "negative numbers of segments, which are errors in the source, are left out by TensorFlow (--index-policy strict makes them "
    "errors)"
)
_FUNCTIONS = {"none": "update", "add": "add", "max": "max", "min": "min"}


def _native(c: Context, node: Node) -> bool:
    """Whether TensorFlow's own function writes the same."""
    a, indices, kind = node.attrs, node.operand("indices"), node.output.type.dtype
    if a["bounds"] not in NATIVE or (guards(c) and a["bounds"] == "error") or 0 in node.output.type.shape:
        return False
    if a["neg"] == "from_end" and not never_negative(indices):
        return False
    if a["reduction"] == "none":
        return not (repeats(node) and _keeps_last(c))
    exact = kind.is_integer or (a["reduction"] == "add" and not kind.is_bool and not kind.is_half)
    return a["reduction"] in _FUNCTIONS and a["include_self"] and exact


def _keeps_last(c: Context) -> bool:
    """Tell that an order is left open, unless it is to be kept."""
    if is_own(c):
        return False
    if not c.strict:
        c.note(ORDER)
    return c.strict


def _written(c: Context, node: Node, index: Expr) -> Expr:
    a = node.attrs
    tell_write(c, node)
    x, updates = c.x(node.operand("data")), c.x(node.operand("updates"))
    if _native(c, node):
        if node.operand("indices").type.rank == 1 and node.op.name == "scatter_nd":  # TensorFlow wants a list of vectors
            index, updates = TF.expand_dims(index, 0), TF.expand_dims(updates, 0)
        return getattr(TF, f"tensor_scatter_nd_{_FUNCTIONS[a['reduction']]}")(x, index, updates)
    settings = index_settings(c, node, node.operand("indices"))
    if a["reduction"] != "none":
        settings["reduction"] = lift(a["reduction"])
        if not a["include_self"]:
            settings["include_self"] = lift(False)
    return c.helper("scatter")(x, index, updates, **settings)


@rule("scatter_nd")
def scatter_nd(c: Context, node: Node) -> Expr:
    if 0 in node.operand("updates").type.shape:
        return c.x(node.operand("data"))
    return _written(c, node, as_index(c, node.operand("indices")))


@rule("scatter_elements")
def scatter_elements(c: Context, node: Node) -> Expr:
    data, indices = node.operand("data"), node.operand("indices")
    if 0 in node.operand("updates").type.shape:
        return c.x(data)
    if 0 in data.type.shape and node.attrs["bounds"] in ("drop", "unchecked"):
        return c.x(data)
    index = as_index(c, indices)
    if data.type.rank == 1:
        return _written(c, node, TF.expand_dims(index, 1))
    axis = hole(node.attrs["axis"] % data.type.rank, "axis")
    return _written(c, node, c.helper("element_index")(index, axis))


@rule("mask_fill")
def mask_fill(c: Context, node: Node) -> Expr:
    return TF.where(*(c.x(node.operand(k)) for k in ("mask", "value", "data")))


@rule("mask_scatter")
def mask_scatter(c: Context, node: Node) -> Expr:
    c.tell_checked("sources with another number of slices than a mask chooses")
    return c.helper("mask_scatter")(*(c.x(node.operand(k)) for k in ("data", "mask", "source")))


@rule("segment_reduce")
def segment_reduce(c: Context, node: Node) -> Expr:
    a, kind, ids = node.attrs, node.output.type.dtype, node.operand("ids")
    count = c.dim(a["num_segments"], "segments")
    own = {"add": "sum", "mul": "prod"}.get(a["reduction"])
    plain = own is not None and not kind.is_bool and not kind.is_half and (own == "sum" or a["empty"] == "identity")
    tell_write(c, node)
    if plain and a["bounds"] == "error" and not guards(c) and 0 not in node.operand("data").type.shape:
        if not is_own(c) and not never_negative(ids):
            c.note(NEGATIVE)
        return getattr(MATH, f"unsorted_segment_{own}")(c.x(node.operand("data")), as_index(c, ids), count)
    settings: dict[str, Any] = {"drop": lift(True)} if a["bounds"] == "drop" else {}
    settings |= {"zero": lift(True)} if a["empty"] == "zero" else {}
    return c.helper("segment_reduce")(
        c.x(node.operand("data")), as_index(c, ids), count, lift(a["reduction"]), **settings
    )
