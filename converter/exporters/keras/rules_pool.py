"""Pooling, channels last."""

from __future__ import annotations

import math
from typing import Any

from converter.exporters.code.expr import Expr, Name, hole, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.rules_reduction import SHARED
from converter.exporters.keras.spatial import back, dilations_of, last, own_padding, padded
from converter.exporters.keras.table import form, rule
from converter.exporters.outline.instances import Form
from converter.exporters.spatial import squash, static_pads
from ir.core import Node

PASSED_OVER = (
    "max pooling in Keras on TensorFlow passes over NaN, which the source hands on, and gives the lowest number for windows "
    "of -inf; on JAX and PyTorch it hands NaN on"
)
ALIKE = "max pooling in Keras passes over NaN on TensorFlow, as the source does; on JAX and PyTorch it hands NaN on"


def _window(node: Node) -> tuple[int, ...]:
    return tuple(node.attrs["window"])


def _plain(node: Node) -> bool:
    """Whether Keras' pooling does it, padding apart."""
    a = node.attrs
    window = _window(node)
    if a["ceil_mode"] or any(d != 1 for d in dilations_of(node, window)) or not 1 <= len(window) <= 3:
        return False
    return node.operand("x").type.dtype.is_float and len(set(a["strides"])) == 1 or len(window) == 1


def _settings(node: Node, padding: str) -> dict[str, Expr]:
    strides = squash(node.attrs["strides"])  # always told: without, Keras on JAX fails
    return {"strides": hole(strides, "strides"), "padding": hole(padding, "padding", "valid")}


def _placed(node: Node) -> bool:
    return bool(node.origin.path)


def _needs_lowest(node: Node) -> bool:
    """Whether integers are padded, which have no infinity."""
    return not node.output.type.dtype.is_float and own_padding(node, _window(node)) is None


@form("max_pool")
def max_pool_layer(node: Node) -> Form | None:
    """`layers.MaxPooling2D`."""
    if not _placed(node) or not _plain(node) or _needs_lowest(node):
        return None
    window = _window(node)
    size = hole(squash(window), "pool_size")
    ctor = Name(f"layers.MaxPooling{len(window)}D")(size, **_settings(node, own_padding(node, window) or "valid"))

    def call(c: Context, layer: Expr) -> Expr:
        x = last(node, c.x(node.operand("x")))
        return back(node, layer(padded(c, node, x, window, -math.inf)))

    return Form(ctor, call=call)


@rule("max_pool")
def max_pool(c: Context, node: Node) -> Expr:
    window = _window(node)
    x = last(node, c.x(node.operand("x")))
    if _plain(node) and not _needs_lowest(node):
        x = padded(c, node, x, window, -math.inf)
        own = own_padding(node, window) or "valid"
        return back(node, OPS.max_pool(x, hole(squash(window), "pool_size"), **_settings(node, own)))
    return back(node, c.helper("max_pool")(x, *_sliding(c, node, x)))


def passes_over_nan(node: Node) -> bool:
    """Whether Keras' own max pooling is written for a node; that of TensorFlow passes over NaN."""
    return node.op.name == "max_pool" and _plain(node) and not _needs_lowest(node)


def _sliding(c: Context, node: Node, x: Expr) -> list[Any]:
    """Window, strides, dilations and padding for the helpers, and whether a last partial window counts."""
    a, window = node.attrs, _window(node)
    dilations = dilations_of(node, window)
    pads = static_pads(node, window)
    if pads is not None:
        widths: Expr = lift(tuple((int(p), int(q)) for p, q in pads))
    else:
        lower = {"lower": lift(True)} if a["padding"] == "same_lower" else {}
        widths = c.helper("same_widths")(x, lift(window), lift(tuple(a["strides"])), lift(dilations), **lower)
    return [lift(window), lift(tuple(a["strides"])), lift(dilations), widths, lift(a["ceil_mode"])]


def _average(node: Node) -> str | None:
    """The padding with which Keras' averages are the node's; it leaves padding out of the count."""
    window = _window(node)
    own = own_padding(node, window)
    if not _plain(node) or node.attrs["divisor"] is not None:
        return None
    if own == "valid" or (own == "same" and not node.attrs["include_pad"]):
        return own
    return "valid" if node.attrs["include_pad"] and static_pads(node, window) is not None else None


def _for_average(c: Context, node: Node, x: Expr) -> Expr:
    """The input, with padding that counts made of zeros."""
    pads = static_pads(node, _window(node))
    if not node.attrs["include_pad"] or pads is None or not any(p for pair in pads for p in pair):
        return x
    return OPS.pad(x, lift(((0, 0), *((int(a), int(b)) for a, b in pads), (0, 0))))


@form("avg_pool")
def avg_pool_layer(node: Node) -> Form | None:
    """`layers.AveragePooling2D`."""
    own = _average(node)
    if not _placed(node) or own is None:
        return None
    window = _window(node)
    ctor = Name(f"layers.AveragePooling{len(window)}D")(hole(squash(window), "pool_size"), **_settings(node, own))

    def call(c: Context, layer: Expr) -> Expr:
        return back(node, layer(_for_average(c, node, last(node, c.x(node.operand("x"))))))

    return Form(ctor, call=call)


@rule("avg_pool")
def avg_pool(c: Context, node: Node) -> Expr:
    own, window, a = _average(node), _window(node), node.attrs
    x = last(node, c.x(node.operand("x")))
    if own is not None:
        x = _for_average(c, node, x)
        return back(node, OPS.average_pool(x, hole(squash(window), "pool_size"), **_settings(node, own)))
    extra = {"include_pad": hole(a["include_pad"], "include_pad", True), "divisor": hole(a["divisor"], "divisor", None)}
    return back(node, c.helper("avg_pool")(x, *_sliding(c, node, x), **extra))


def _sizes_known(node: Node) -> str | None:
    x, a = node.operand("x"), node.attrs
    if 0 in x.type.shape or 0 in a["output_size"]:
        return "Keras pools elements there are, to one place at least"
    axes = range(2, x.type.rank) if a["layout"] == "channels_first" else range(1, x.type.rank - 1)
    known = all(isinstance(x.type.shape[i], int) for i, out in zip(axes, a["output_size"]) if out is not None)
    return None if known else "Keras pools to a fixed size where the sizes of the input are known"


@rule("adaptive_avg_pool", "adaptive_max_pool", accepts=_sizes_known)
def adaptive(c: Context, node: Node) -> Expr:
    """One part after the other; the mean of each part is the mean over one axis after the other."""
    average = node.op.name == "adaptive_avg_pool"
    if not average and node.output.type.dtype.is_float:
        c.note(SHARED)
    x = last(node, c.x(node.operand("x")))
    sizes, rank = node.attrs["output_size"], node.operand("x").type.rank
    if all(out == 1 for out in sizes):
        axes = tuple(range(1, rank - 1))
        return back(node, (OPS.mean if average else OPS.max)(x, axis=lift(axes), keepdims=lift(True)))
    return back(node, c.helper("adaptive_pool")(x, lift(tuple(sizes)), OPS.mean if average else OPS.max))
