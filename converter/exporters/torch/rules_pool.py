"""Pooling."""

from __future__ import annotations

from typing import Any

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Name, Tup, Var, hole, lift
from converter.exporters.outline.instances import Form
from converter.exporters.torch.context import Context, F
from converter.exporters.torch.spatial import back, first, pad_widths, squash, static_pads, symmetric
from converter.exporters.torch.table import form, rule
from ir.core import Node


def _native(node: Node) -> bool:
    """Whether torch's own function takes the padding: at most half a window, dilated or not, the same on both sides of
    an image that is not all padding."""
    window = node.attrs["window"]
    pads = static_pads(node, window)
    if pads is None or 0 in node.operand("x").type.shape[1:] or not symmetric(pads) or not 1 <= len(window) <= 3:
        return False
    return all(2 * int(before) <= w for (before, _), w in zip(pads, window))


def _settings(node: Node) -> dict[str, Any]:
    a = node.attrs
    pads = static_pads(node, a["window"]) or ()
    settings = {"stride": hole(squash(a["strides"]), "stride")}
    if a["strides"] == a["window"]:
        settings = {"stride": hole(squash(a["strides"]), "stride", squash(a["window"]))}
    return {**settings, "padding": hole(squash([int(before) for before, _ in pads]), "padding", 0)}


def _numbered(node: Node) -> bool:
    return bool(node.origin.path)


def _max_settings(node: Node) -> dict[str, Any]:
    a = node.attrs
    return {
        **_settings(node),
        "dilation": hole(squash(a["dilations"]), "dilation", 1),
        "ceil_mode": hole(a["ceil_mode"], "ceil_mode", False),
    }


@form("max_pool")
def max_pool_module(node: Node) -> Form | None:
    """`nn.MaxPool2d`."""
    if not _numbered(node) or not _native(node) or not node.operand("x").type.dtype.is_float:
        return None
    window = node.attrs["window"]
    ctor = Name(f"nn.MaxPool{len(window)}d")(hole(squash(window), "kernel_size"), **_max_settings(node))
    return Form(ctor, call=lambda c, module: back(node, module(first(c, node, c.x(node.operand("x"))))))


@rule("max_pool")
def max_pool(c: Context, node: Node) -> Expr:
    a = node.attrs
    window = a["window"]
    x = first(c, node, c.x(node.operand("x")))
    if _native(node) and node.operand("x").type.dtype.is_float:
        return back(
            node, getattr(F, f"max_pool{len(window)}d")(x, hole(squash(window), "kernel_size"), **_max_settings(node))
        )
    result = c.helper("max_pool")(
        x,
        lift(window),
        lift(a["strides"]),
        lift(a["dilations"]),
        _widths(c, node, x),
        ceil_mode=hole(a["ceil_mode"], "ceil_mode", False),
    )
    return back(node, result)


def _positions_accepts(node: Node) -> str | None:
    if _native(node) and node.operand("x").type.dtype.is_float and 0 not in node.operand("x").type.shape:
        return None
    return "torch tells positions of maxima for its own padding and for floats"


@form("max_pool_with_positions")
def max_pool_positions_module(node: Node) -> Form | None:
    """`nn.MaxPool2d(..., return_indices=True)`."""
    if not _numbered(node):
        return None
    window = node.attrs["window"]
    settings = {**_max_settings(node), "return_indices": lift(True)}
    ctor = Name(f"nn.MaxPool{len(window)}d")(hole(squash(window), "kernel_size"), **settings)
    return Form(ctor, call=lambda c, module: _values_and_positions(c, node, module(c.x(node.operand("x")))))


@rule("max_pool_with_positions", accepts=_positions_accepts)
def max_pool_positions(c: Context, node: Node) -> tuple[Expr | None, ...]:
    window = node.attrs["window"]
    function = getattr(F, f"max_pool{len(window)}d")
    call = function(
        c.x(node.operand("x")), hole(squash(window), "kernel_size"), **_max_settings(node), return_indices=lift(True)
    )
    return _values_and_positions(c, node, call)


def _values_and_positions(c: Context, node: Node, call: Expr) -> tuple[Expr | None, ...]:
    kept = [Var(hint) if v.uses else None for v, hint in zip(node.outputs, ("largest", "places"), strict=True)]
    c.body.append(s.Assign(Tup(tuple(v or Name("_") for v in kept)), call))
    return tuple(kept)


def _widths(c: Context, node: Node, x: Expr) -> Expr:
    """Padding in F.pad's order, computed at run time where it follows the size."""
    a = node.attrs
    pads = static_pads(node, a["window"])
    if pads is not None:
        return lift(pad_widths(pads))
    dilations = a["dilations"] or (1,) * len(a["window"])
    lower = {"lower": lift(True)} if a["padding"] == "same_lower" else {}
    return c.helper("same_widths")(x, lift(a["window"]), lift(a["strides"]), lift(dilations), **lower)


def _avg_native(node: Node) -> bool:
    a = node.attrs
    dilated = any(d != 1 for d in a["dilations"])
    if node.operand("x").type.dtype.is_half and len(a["window"]) == 3:  # no CPU kernel
        return False
    return _native(node) and not dilated and (a["divisor"] is None or len(a["window"]) > 1)


def _avg_settings(node: Node) -> dict[str, Any]:
    a = node.attrs
    extra = {} if len(a["window"]) == 1 else {"divisor_override": hole(a["divisor"], "divisor_override", None)}
    return {
        **_settings(node),
        "ceil_mode": hole(a["ceil_mode"], "ceil_mode", False),
        "count_include_pad": hole(a["include_pad"], "count_include_pad", True),
        **extra,
    }


@form("avg_pool")
def avg_pool_module(node: Node) -> Form | None:
    """`nn.AvgPool2d`."""
    if not _numbered(node) or not _avg_native(node):
        return None
    window = node.attrs["window"]
    ctor = Name(f"nn.AvgPool{len(window)}d")(hole(squash(window), "kernel_size"), **_avg_settings(node))
    return Form(ctor, call=lambda c, module: back(node, module(first(c, node, c.x(node.operand("x"))))))


@rule("avg_pool", accepts=lambda n: None if len(n.attrs["window"]) <= 3 else "torch pools over 1 to 3 spatial axes")
def avg_pool(c: Context, node: Node) -> Expr:
    a = node.attrs
    window = a["window"]
    x = first(c, node, c.x(node.operand("x")))
    if _avg_native(node):
        return back(
            node, getattr(F, f"avg_pool{len(window)}d")(x, hole(squash(window), "kernel_size"), **_avg_settings(node))
        )
    dilations = a["dilations"] or (1,) * len(window)
    result = c.helper("avg_pool")(
        x, lift(window), lift(a["strides"]), lift(dilations), _widths(c, node, x),
        ceil_mode=hole(a["ceil_mode"], "ceil_mode", False),
        include_pad=hole(a["include_pad"], "include_pad", True),
        divisor=hole(a["divisor"], "divisor", None),
    )  # fmt: skip
    return back(node, result)


def _adaptive_native(node: Node) -> bool:
    return 1 <= len(node.attrs["output_size"]) <= 3 and node.operand("x").type.dtype.is_float


def _adaptive_accepts(node: Node) -> str | None:
    if _adaptive_native(node) or node.op.name == "adaptive_max_pool":
        return None
    return "torch averages over 1 to 3 spatial axes"


def _output_size(node: Node) -> Expr:
    size = node.attrs["output_size"]
    return hole(squash(size), "output_size")


@form("adaptive_avg_pool", "adaptive_max_pool")
def adaptive_module(node: Node) -> Form | None:
    """`nn.AdaptiveAvgPool2d`."""
    if not _numbered(node) or not _adaptive_native(node):
        return None
    kind = "Avg" if node.op.name == "adaptive_avg_pool" else "Max"
    ctor = Name(f"nn.Adaptive{kind}Pool{len(node.attrs['output_size'])}d")(_output_size(node))
    return Form(ctor, call=lambda c, module: back(node, module(first(c, node, c.x(node.operand("x"))))))


@rule("adaptive_avg_pool", "adaptive_max_pool", accepts=_adaptive_accepts)
def adaptive(c: Context, node: Node) -> Expr:
    x = first(c, node, c.x(node.operand("x")))
    if not _adaptive_native(node):
        return back(node, c.helper("adaptive_max_pool")(x, lift(node.attrs["output_size"])))
    function = getattr(F, f"{node.op.name}{len(node.attrs['output_size'])}d")
    return back(node, function(x, _output_size(node)))
