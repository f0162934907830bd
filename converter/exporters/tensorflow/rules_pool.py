"""Pooling, channels last. TensorFlow's kernels pass over NaN, and compiled ones take no padding in numbers."""

from __future__ import annotations

import math
from typing import Any

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.spatial import squash, static_pads
from converter.exporters.tensorflow.context import NN, TF, Context
from converter.exporters.tensorflow.rules_reduction import COMPILED, SHARED
from converter.exporters.tensorflow.spatial import back, dilations_of, last, own_padding, padded
from converter.exporters.tensorflow.table import rule
from converter.policies import MAX_POOL_NAN
from ir.core import Node

PASSED_OVER = "max pooling in TensorFlow passes over NaN, which the source hands on, and gives the lowest number for windows of -inf"


def _window(node: Node) -> tuple[int, ...]:
    return tuple(node.attrs["window"])


def _plain(node: Node) -> bool:
    """Whether TensorFlow has a kernel for it, padding apart."""
    a, window = node.attrs, _window(node)
    if a["ceil_mode"] or any(d != 1 for d in dilations_of(node, window)) or not 1 <= len(window) <= 3:
        return False
    kind = node.output.type.dtype.name
    return kind in ("float32", "bfloat16") if len(window) == 3 else kind not in ("uint32", "uint64")


def passes_over_nan(node: Node) -> bool:
    """Whether TensorFlow's own kernel of max pooling is written for a node."""
    return node.op.name == "max_pool" and _plain(node)


def _pooled(node: Node, kind: str, x: Expr, own: str) -> Expr:
    """`tf.nn.max_pool2d(x, 2, 2, "VALID")`."""
    window, strides = _window(node), node.attrs["strides"]
    size = hole(squash(window) if len(set(window)) == 1 else list(window), "window")
    step = hole(squash(strides) if len(set(strides)) == 1 else list(strides), "strides")
    return getattr(NN, f"{kind}_pool{len(window)}d")(x, size, step, hole(own.upper(), "padding"))


@rule("max_pool")
def max_pool(c: Context, node: Node) -> Expr:
    kind, window = node.output.type.dtype, _window(node)
    x = last(node, c.x(node.operand("x")))
    if not _plain(node):
        if kind.is_float and MAX_POOL_NAN not in c.model.notes:
            c.note(COMPILED)
        return back(node, c.helper("max_pool")(x, *_sliding(c, node, c.name_once(x))))
    own = own_padding(node, window)
    x = padded(c, node, x, window, -math.inf if kind.is_float else int(kind.min))
    return back(node, _pooled(node, "max", x, own or "valid"))


def _sliding(c: Context, node: Node, x: Expr) -> list[Any]:
    """Window, strides, dilations and padding for the helpers, and whether a last partial window counts."""
    a, window = node.attrs, _window(node)
    dilations = dilations_of(node, window)
    pads = static_pads(node, window)
    if pads is not None:
        widths: Expr = lift([(int(p), int(q)) for p, q in pads])
    else:
        lower = {"lower": lift(True)} if a["padding"] == "same_lower" else {}
        widths = c.helper("same_widths")(x, lift(window), lift(tuple(a["strides"])), lift(dilations), **lower)
    ceil = [lift(True)] if a["ceil_mode"] else []
    return [lift(window), lift(tuple(a["strides"])), lift(dilations), widths, *ceil]


def _average(node: Node) -> str | None:
    """The padding with which TensorFlow's averages are the node's; it leaves padding out of the count."""
    window = _window(node)
    own = own_padding(node, window)
    if not _plain(node) or node.attrs["divisor"] is not None:
        return None
    if own == "valid" or (own == "same" and not node.attrs["include_pad"]):
        return own
    return "valid" if node.attrs["include_pad"] and static_pads(node, window) is not None else None


@rule("avg_pool")
def avg_pool(c: Context, node: Node) -> Expr:
    own, window, a = _average(node), _window(node), node.attrs
    x = last(node, c.x(node.operand("x")))
    if own is not None:
        pads = static_pads(node, window)
        if a["include_pad"] and pads is not None and any(p for pair in pads for p in pair):
            x = TF.pad(x, lift([[0, 0], *([int(p), int(q)] for p, q in pads), [0, 0]]))
        return back(node, _pooled(node, "avg", x, own))
    extra = {"include_pad": hole(a["include_pad"], "include_pad", True), "divisor": hole(a["divisor"], "divisor", None)}
    return back(node, c.helper("avg_pool")(x, *_sliding(c, node, c.name_once(x)), **extra))


@rule("adaptive_avg_pool", "adaptive_max_pool")
def adaptive(c: Context, node: Node) -> Expr:
    """One part after the other; the mean of each part is the mean over one axis after the other."""
    out = node.output.type
    if 0 in out.shape:
        return TF.zeros(lift(c.shape(out.shape)), c.dtype(out.dtype))
    if node.op.name == "adaptive_max_pool" and out.dtype.is_float:
        c.note(COMPILED)
        c.note(SHARED)
    reduce = TF.reduce_mean if node.op.name == "adaptive_avg_pool" else TF.reduce_max
    x = last(node, c.x(node.operand("x")))
    sizes, rank = node.attrs["output_size"], node.operand("x").type.rank
    if all(out == 1 for out in sizes):
        return back(node, reduce(x, axis=lift(list(range(1, rank - 1))), keepdims=lift(True)))
    return back(node, c.helper("adaptive_pool")(x, lift(tuple(sizes)), reduce))
