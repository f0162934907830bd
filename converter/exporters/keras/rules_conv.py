"""Convolution and its transpose, channels last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.exporters.code.expr import Expr, Lit, Name, Slice, hole, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.settings import layer_dtype
from converter.exporters.keras.spatial import back, dilations_of, last, last_shape, own_padding, padded
from converter.exporters.keras.table import form, rule
from converter.exporters.outline.instances import Form
from converter.exporters.spatial import squash
from ir.core import Node, Value
from ir.data.weights import role_permutation
from ir.types import DimExpr


def _spatial(node: Node) -> int:
    return node.operand("x").type.rank - 2


def _accepts(node: Node) -> str | None:
    if any(isinstance(d, DimExpr) for d in node.operand("weight").type.shape[2:]):
        return "the size of its window is known only when it runs"
    return None if 1 <= _spatial(node) <= 3 else f"Keras has no convolution over {_spatial(node)} spatial axes"


def _weights(node: Node) -> dict[str, Value] | None:
    weight, bias = node.operands["weight"], node.operands["bias"]
    if not weight.is_weight or (bias is not None and not bias.is_weight):
        return None
    return {"kernel": weight} if bias is None else {"kernel": weight, "bias": bias}


def _window(node: Node) -> tuple[int, ...]:
    return tuple(int(d) for d in node.operand("weight").type.shape[2:])


def _both(node: Node) -> bool:
    """Strides and dilations at once, which Keras refuses."""
    return max(node.attrs["strides"]) > 1 and max(node.attrs["dilations"]) > 1


def _settings(node: Node, window: Sequence[int]) -> dict[str, Expr]:
    a = node.attrs
    causal = a["padding"] == "causal" and _spatial(node) == 1
    return {
        "strides": hole(squash(a["strides"]), "strides", 1),
        "padding": hole("causal" if causal else own_padding(node, window) or "valid", "padding", "valid"),
        "dilation_rate": hole(squash(dilations_of(node, window)), "dilation_rate", 1),
    }


@form("conv")
def conv_layer(node: Node) -> Form | None:
    """`layers.Conv2D`, `layers.DepthwiseConv2D`; other padding happens before the call."""
    weights = _weights(node)
    if weights is None or _accepts(node) or _both(node):
        return None
    a, shape, window = node.attrs, node.operand("weight").type.shape, _window(node)
    depthwise = a["groups"] > 1 and shape[1] == 1 and shape[0] == a["groups"]
    depthwise = depthwise and _spatial(node) <= 2 and len(set(a["strides"])) == 1
    size = hole(squash(window), "kernel_size")
    extra: dict[str, Any] = {} if depthwise else {"groups": hole(a["groups"], "groups", 1)}
    extra |= {"use_bias": hole("bias" in weights, "use_bias", True), **layer_dtype(weights["kernel"])}
    if depthwise:
        ctor = Name(f"layers.DepthwiseConv{_spatial(node)}D")(size, **_settings(node, window), **extra)
    else:
        filters = hole(int(shape[0]), "filters")
        ctor = Name(f"layers.Conv{_spatial(node)}D")(filters, size, **_settings(node, window), **extra)

    def call(c: Context, layer: Expr) -> Expr:
        x = last(node, c.x(node.operand("x")))
        return back(node, layer(x if _is_causal(node) else padded(c, node, x, window)))

    kernel = "S* O I" if depthwise else "S* I O"
    axes = {"kernel": role_permutation("O I S*", kernel, len(shape))}
    return Form(ctor, weights, call=call, axes=axes, shape=last_shape(node))


def _is_causal(node: Node) -> bool:
    return node.attrs["padding"] == "causal" and _spatial(node) == 1


@rule("conv", accepts=_accepts)
def conv(c: Context, node: Node) -> Expr:
    """Strides together with dilations: every result is computed, and those in between are left out."""
    a, window = node.attrs, _window(node)
    x = padded(c, node, last(node, c.x(node.operand("x"))), window)
    rank = node.operand("x").type.rank
    kernel = OPS.transpose(c.x(node.operand("weight")), lift(role_permutation("O I S*", "S* I O", rank)))
    both = _both(node)
    settings: dict[str, Expr] = {
        "strides": lift(1) if both else hole(squash(a["strides"]), "strides", 1),
        "padding": hole(own_padding(node, window) or "valid", "padding", "valid"),
        "dilation_rate": hole(squash(dilations_of(node, window)), "dilation_rate", 1),
    }
    if both and own_padding(node, window) == "same":
        x = c.helper("pad_same")(x, lift(window), lift(a["strides"]), lift(dilations_of(node, window)))
        settings["padding"] = lift("valid")
    y: Expr = OPS.conv(x, kernel, **{k: v for k, v in settings.items() if v != lift(1)})
    if both:
        y = y[(slice(None), *(Slice(None, None, Lit(s)) for s in a["strides"]))]
    bias = c.operand(node, "bias")
    return back(node, y if bias is None else y + bias)


# -- transpose --------------------------------------------------------------------------------------------------------
def _crop(node: Node) -> list[tuple[int, int]]:
    """What is cut from both sides of the whole result; negative: what is missing at its end."""
    a = node.attrs
    return [(before, after - extra) for (before, after), extra in zip(a["padding"], a["output_padding"])]


def _own_crop(node: Node) -> str | None:
    """`"valid"` or `"same"` where that is how Keras crops."""
    crop = _crop(node)
    if not any(p for pair in crop for p in pair):
        return "valid"
    spare = [w - s for w, s in zip(_window(node), node.attrs["strides"])]
    return "same" if crop == [(n // 2, n - n // 2) for n in spare] else None


@form("conv_transpose")
def conv_transpose_layer(node: Node) -> Form | None:
    """`layers.Conv2DTranspose`, cropped behind the call where Keras would crop otherwise."""
    weights = _weights(node)
    a = node.attrs
    if weights is None or _accepts(node) or a["groups"] != 1 or any(d != 1 for d in a["dilations"]):
        return None
    shape, window = node.operand("weight").type.shape, _window(node)
    if any(w < s for w, s in zip(window, a["strides"])) or any(after < 0 for _, after in _crop(node)):
        return None
    own = _own_crop(node)
    ctor = Name(f"layers.Conv{_spatial(node)}DTranspose")(
        hole(int(shape[1]), "filters"),
        hole(squash(window), "kernel_size"),
        strides=hole(squash(a["strides"]), "strides", 1),
        padding=hole(own or "valid", "padding", "valid"),
        use_bias=hole("bias" in weights, "use_bias", True),
        **layer_dtype(weights["kernel"]),
    )

    def call(c: Context, layer: Expr) -> Expr:
        y = layer(last(node, c.x(node.operand("x"))))
        return back(node, y if own else _cropped(y, _crop(node)))

    axes = {"kernel": role_permutation("I O S*", "S* O I", len(shape))}
    return Form(ctor, weights, call=call, axes=axes, shape=last_shape(node))


def _cropped(y: Expr, crop: Sequence[tuple[int, int]]) -> Expr:
    parts = [Slice(Lit(b) if b else None, Lit(-a) if a > 0 else None) for b, a in crop]
    return y[(slice(None), *parts)]


@rule("conv_transpose", accepts=_accepts)
def conv_transpose(c: Context, node: Node) -> Expr:
    """A convolution over the input with zeros between its elements, by the kernel turned round."""
    a = node.attrs
    y = c.helper("conv_transpose")(
        last(node, c.x(node.operand("x"))),
        c.x(node.operand("weight")),
        lift(a["strides"]),
        lift(a["dilations"]),
        lift(a["groups"]),
        lift(tuple(_crop(node))),
    )
    bias = c.operand(node, "bias")
    return back(node, y if bias is None else y + bias)
