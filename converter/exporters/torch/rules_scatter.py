"""Writing by index and by mask, and reductions over segments."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.torch.context import Context
from converter.exporters.torch.rules_indexing import NATIVE, as_index, as_int64, index_settings, note_order
from converter.exporters.torch.table import rule
from ir.core import Node

TIES = (
    "gradients of maxima and minima of written places: PyTorch gives away a part to what was there before where that is as "
    "large (--index-policy strict does not)"
)
_REDUCE = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin", "mean": "mean"}


@rule("scatter_elements")
def scatter_elements(c: Context, node: Node) -> Expr:
    a, data = node.attrs, node.operand("data")
    axis = hole(a["axis"] % data.type.rank, "dim")
    native = a["neg"] == "invalid" and a["bounds"] in ("error", "unchecked") and not data.type.dtype.is_bool
    last = _last(c, node)
    if native and not last and not _ties(c, node):
        x, index, updates = c.x(data), as_int64(c, node.operand("indices")), c.x(node.operand("updates"))
        if a["reduction"] == "none":
            return x.scatter(axis, index, updates)
        if a["reduction"] == "add" and a["include_self"]:
            return x.scatter_add(axis, index, updates)
        own = {} if a["include_self"] else {"include_self": lift(False)}
        return x.scatter_reduce(axis, index, updates, reduce=lift(_REDUCE[a["reduction"]]), **own)
    return c.helper("scatter_elements")(
        c.x(data),
        c.x(node.operand("indices")),
        c.x(node.operand("updates")),
        axis,
        **_reduction(node),
        **index_settings(node),
        **last,
    )


def _last(c: Context, node: Node) -> dict[str, Expr]:
    """The helpers' setting that keeps the last of several writes to a place, under the strict policy; else a note."""
    return {"last": lift(True)} if note_order(c, node) and c.strict else {}


def _ties(c: Context, node: Node) -> bool:
    """Whether torch's own gradient gives away a part of it, to a maximum that was there before and does not count."""
    a = node.attrs
    shares = a["reduction"] in ("max", "min") and not a["include_self"] and node.output.type.dtype.is_float
    if shares and not c.strict and c.model.metadata.get("framework") != "torch":
        c.note(TIES)
    return shares and c.strict


def _reduction(node: Node) -> dict[str, Expr]:
    a = node.attrs
    if a["reduction"] == "none":
        return {}
    own = {} if a["include_self"] else {"include_self": lift(False)}
    return {"reduce": lift(_REDUCE[a["reduction"]]), **own}


@rule("scatter_nd")
def scatter_nd(c: Context, node: Node) -> Expr:
    a, data, indices = node.attrs, node.operand("data"), node.operand("indices")
    native = a["bounds"] in NATIVE and (a["neg"] == "from_end" or a["bounds"] == "unchecked")
    last = _last(c, node)
    if native and indices.type.shape[-1] and _put(node) and not last:
        extra = {"accumulate": lift(True)} if a["reduction"] == "add" else {}
        return c.x(data).index_put(as_index(c, indices).unbind(-1), c.x(node.operand("updates")), **extra)
    return c.helper("scatter_nd")(
        c.x(node.operand("data")),
        c.x(node.operand("indices")),
        c.x(node.operand("updates")),
        **_reduction(node),
        **index_settings(node),
        **last,
    )


def _put(node: Node) -> bool:
    """Whether `index_put` does what the node's reduction asks."""
    a = node.attrs
    if a["reduction"] == "none":
        return True
    return a["reduction"] == "add" and a["include_self"] and not node.output.type.dtype.is_bool


@rule("mask_fill")
def mask_fill(c: Context, node: Node) -> Expr:
    return c.x(node.operand("data")).masked_fill(c.x(node.operand("mask")), c.number_or_x(node.operand("value")))


@rule("mask_scatter")
def mask_scatter(c: Context, node: Node) -> Expr:
    return c.helper("mask_scatter")(c.x(node.operand("data")), c.x(node.operand("mask")), c.x(node.operand("source")))


@rule("segment_reduce")
def segment_reduce(c: Context, node: Node) -> Expr:
    a = node.attrs
    settings = {"drop": lift(True)} if a["bounds"] == "drop" else {}
    if a["empty"] == "zero":
        settings["zero"] = lift(True)
    return c.helper("segment_reduce")(
        c.x(node.operand("data")),
        c.x(node.operand("ids")),
        c.dim(a["num_segments"], "segments"),
        lift(_REDUCE[a["reduction"]]),
        **settings,
    )
