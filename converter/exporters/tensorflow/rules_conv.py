"""Convolution and its transpose, channels last.

TensorFlow's kernels on a CPU have no gradient of groups nor of dilation, and no transposed convolution of either: groups
are computed one by one, dilation by `tf.nn.convolution`, which makes batches of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.exporters.code.expr import Expr, Lit, Slice, hole, lift
from converter.exporters.spatial import squash, static_pads
from converter.exporters.tensorflow.context import NN, TF, Context
from converter.exporters.tensorflow.spatial import (
    back,
    last,
    last_dims,
    own_padding,
    padded,
    padded_by_hand,
)
from converter.exporters.tensorflow.table import Axes, order, rule
from ir.core import Node
from ir.data.weights import role_permutation
from ir.types import DimExpr


def _spatial(node: Node) -> int:
    return node.operand("x").type.rank - 2


def _accepts(node: Node) -> str | None:
    if any(isinstance(d, DimExpr) for d in node.operand("weight").type.shape):
        return "the size of its kernel is known only when it runs"
    return None if 1 <= _spatial(node) <= 3 else f"TensorFlow has no convolution over {_spatial(node)} spatial axes"


def _window(node: Node) -> tuple[int, ...]:
    return tuple(int(d) for d in node.operand("weight").type.shape[2:])


def _dilated(node: Node) -> bool:
    return max(node.attrs["dilations"]) > 1


def _depthwise(node: Node) -> bool:
    """Whether TensorFlow's depthwise convolution does it: one kernel a channel, strides of one number, none with dilation."""
    a, shape = node.attrs, node.operand("weight").type.shape
    fits = a["groups"] > 1 and shape[1] == 1 and shape[0] == a["groups"] and _spatial(node) <= 2
    return fits and len(set(a["strides"])) == 1 and not (_dilated(node) and max(a["strides"]) > 1)


# -- convolution ------------------------------------------------------------------------------------------------------
@order("conv")
def conv_order(node: Node) -> dict[str, Axes]:
    kernel = "S* O I" if _depthwise(node) else "S* I O"
    return {"weight": role_permutation("O I S*", kernel, node.operand("weight").type.rank)}


@rule("conv", accepts=_accepts)
def conv(c: Context, node: Node) -> Expr:
    x = last(node, c.x(node.operand("x")))
    kernel = c.turned(node.operand("weight"), conv_order(node)["weight"])
    y = _depthwise_conv(c, node, x, kernel) if _depthwise(node) else _plain_conv(c, node, x, kernel)
    bias = c.operand(node, "bias")
    return back(node, y if bias is None else y + bias)


def _plain_conv(c: Context, node: Node, x: Expr, kernel: Expr) -> Expr:
    """Strides together with dilations: every result is computed, and those in between are left out."""
    a, window = node.attrs, _window(node)
    both = _dilated(node) and max(a["strides"]) > 1
    groups = {"groups": hole(a["groups"], "groups")} if a["groups"] > 1 else {}
    if not both and not _dilated(node) and not groups and _spatial(node) == 2 and _explicit(node) is not None:
        return NN.conv2d(x, kernel, _strides(node), hole(_explicit(node), "padding"))
    own = None if both and own_padding(node, window) == "same" else own_padding(node, window)
    x = x if own is not None else padded_by_hand(c, node, x, window)
    padding = hole((own or "valid").upper(), "padding")
    if _dilated(node) or groups:
        settings: dict[str, Any] = {} if both else {"strides": hole(squash(a["strides"]), "strides", 1)}
        settings |= {"padding": padding}
        settings |= {"dilations": hole(squash(a["dilations"]), "dilations")} if _dilated(node) else {}
        if _spatial(node) == 3:  # TensorFlow takes the gradient only where the layout is given
            settings["data_format"] = lift("NDHWC")
        function = c.helper("grouped_conv") if groups else NN.convolution
        y: Expr = function(x, kernel, **settings, **groups)
        return y[(slice(None), *(Slice(None, None, None if s == 1 else Lit(s)) for s in a["strides"]))] if both else y
    return getattr(NN, f"conv{_spatial(node)}d")(x, kernel, _strides(node), padding)


def _explicit(node: Node) -> list[list[int]] | None:
    """The padding as `tf.nn.conv2d` takes it, where it is no padding of a name."""
    pads = static_pads(node, _window(node))
    if own_padding(node, _window(node)) is not None or pads is None:
        return None
    return [[0, 0], *([int(p), int(q)] for p, q in pads), [0, 0]]


def _strides(node: Node) -> Expr:
    """Strides as functions of a fixed number of spatial axes take them: in three dimensions for all axes."""
    strides = node.attrs["strides"]
    if len(strides) == 3:
        return hole([1, *strides, 1], "strides")
    return hole(squash(strides) if len(set(strides)) == 1 else list(strides), "strides")


def _depthwise_conv(c: Context, node: Node, x: Expr, kernel: Expr) -> Expr:
    a, window = node.attrs, _window(node)
    stride, dilations = a["strides"][0], a["dilations"]
    strides = hole([1, stride, stride, 1], "strides")
    if len(window) == 1:
        x, kernel = TF.expand_dims(padded(c, node, x, window), 1), TF.expand_dims(kernel, 0)
        padding, dilations = hole((own_padding(node, window) or "valid").upper(), "padding"), (1, *dilations)
    elif _explicit(node) is not None and not _dilated(node):
        padding = hole(_explicit(node), "padding")
    else:
        x = padded(c, node, x, window)
        padding = hole((own_padding(node, window) or "valid").upper(), "padding")
    settings = {"dilations": hole(list(dilations), "dilations")} if _dilated(node) else {}
    y = NN.depthwise_conv2d(x, kernel, strides, padding, **settings)
    return TF.squeeze(y, 1) if len(window) == 1 else y


# -- transpose --------------------------------------------------------------------------------------------------------
@order("conv_transpose")
def transpose_order(node: Node) -> dict[str, Axes]:
    return {"weight": role_permutation("I O S*", "S* O I", node.operand("weight").type.rank)}


def _crop(node: Node) -> list[tuple[int, int]]:
    """What is cut from both sides of the whole result; negative: what is missing at its end."""
    a = node.attrs
    return [(before, after - extra) for (before, after), extra in zip(a["padding"], a["output_padding"])]


@rule("conv_transpose", accepts=_accepts)
def conv_transpose(c: Context, node: Node) -> Expr:
    x = last(node, c.x(node.operand("x")))
    kernel = c.turned(node.operand("weight"), transpose_order(node)["weight"])
    y = _own_transpose(c, node, x, kernel)
    bias = c.operand(node, "bias")
    return back(node, y if bias is None else y + bias)


def _own_transpose(c: Context, node: Node, x: Expr, kernel: Expr) -> Expr:
    """TensorFlow's own; without dilation and groups, and where what is missing at the end is less than a stride."""
    a, crop, window = node.attrs, _crop(node), _window(node)
    missing = any(-after >= s for (_, after), s in zip(crop, a["strides"]))
    named = _named_crop(crop, window, a["strides"])
    if _dilated(node) or a["groups"] > 1 or missing or (named is None and _spatial(node) != 2):
        settings = [squash(a["strides"]), squash(a["dilations"])]
        return c.helper("conv_transpose")(x, kernel, *(lift(v) for v in settings), lift(a["groups"]), lift(crop))
    shape = lift([c.dim(d, "size") for d in last_dims(node, node.output)])
    padding = named or [[0, 0], *([before, max(after, 0)] for before, after in crop), [0, 0]]
    return getattr(NN, f"conv{_spatial(node)}d_transpose")(x, kernel, shape, _strides(node), hole(padding, "padding"))


def _named_crop(crop: Sequence[tuple[int, int]], window: Sequence[int], strides: Sequence[int]) -> str | None:
    """`"VALID"` or `"SAME"` where that is the crop."""
    if all(before == 0 and after <= 0 for before, after in crop):
        return "VALID"
    spare = [w - s for w, s in zip(window, strides)]
    same = all(n >= 0 for n in spare) and list(crop) == [(n // 2, n - n // 2) for n in spare]
    return "SAME" if same else None
