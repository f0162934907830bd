"""Convolution and its transpose."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Name, hole
from converter.exporters.outline.instances import Form
from converter.exporters.torch.context import Context, F
from converter.exporters.torch.spatial import back, first, padded, squash, static_pads, symmetric
from converter.exporters.torch.table import form, rule
from ir.core import Node
from ir.ops.axes import spatial_sizes


def _spatial(node: Node) -> int:
    return node.operand("x").type.rank - 2


def _accepts(node: Node) -> str | None:
    x, weight = node.operand("x").type.shape, node.operand("weight").type.shape
    if 0 in spatial_sizes(x, node.attrs["layout"]) and x[0] != 0:
        return "torch takes no images without extent"
    if 0 in weight:
        return "torch convolves neither from nor to no channels"  # from none, its result has none either
    return None if 1 <= _spatial(node) <= 3 else f"torch has no convolution over {_spatial(node)} spatial axes"


def _weights(node: Node) -> dict | None:
    weight, bias = node.operands["weight"], node.operands["bias"]
    if not weight.is_weight or (bias is not None and not bias.is_weight):
        return None
    return {"weight": weight} if bias is None else {"weight": weight, "bias": bias}


@form("conv")
def conv_module(node: Node) -> Form | None:
    """`nn.Conv2d`; padding that differs between the sides happens before the call."""
    weights = _weights(node)
    if weights is None or _accepts(node):
        return None
    a, shape = node.attrs, node.operand("weight").type.shape
    window = [int(d) for d in shape[2:]]
    pads = static_pads(node, window)
    own = squash([int(before) for before, _ in pads]) if pads is not None and symmetric(pads) else 0
    ctor = Name(f"nn.Conv{_spatial(node)}d")(
        hole(int(shape[1]) * a["groups"], "in_channels"),
        hole(int(shape[0]), "out_channels"),
        hole(squash(window), "kernel_size"),
        stride=hole(squash(a["strides"]), "stride", 1),
        padding=hole(own, "padding", 0),
        dilation=hole(squash(a["dilations"]), "dilation", 1),
        groups=hole(a["groups"], "groups", 1),
        bias=hole("bias" in weights, "bias", True),
        **_dtype(node),
    )

    def call(c: Context, module: Expr) -> Expr:
        x, _ = padded(c, node, first(c, node, c.x(node.operand("x"))), window)
        return back(node, module(x))

    return Form(ctor, weights, call=call)


def _dtype(node: Node) -> dict[str, Expr]:
    dtype = node.operand("weight").type.dtype
    return {} if dtype.name == "float32" else {"dtype": Name(f"torch.{dtype.name}")}


@rule("conv", accepts=_accepts)
def conv(c: Context, node: Node) -> Expr:
    a = node.attrs
    window = node.operand("weight").type.shape[2:]
    x, padding = padded(c, node, first(c, node, c.x(node.operand("x"))), window)
    result = getattr(F, f"conv{_spatial(node)}d")(
        x,
        c.x(node.operand("weight")),
        *_bias(c, node),
        stride=hole(squash(a["strides"]), "stride", 1),
        padding=hole(padding, "padding", 0),
        dilation=hole(squash(a["dilations"]), "dilation", 1),
        groups=hole(a["groups"], "groups", 1),
    )
    return back(node, result)


def _bias(c: Context, node: Node) -> list[Expr]:
    bias = c.operand(node, "bias")
    return [] if bias is None else [bias]


def _cropped_by_torch(node: Node) -> bool:
    """torch crops both sides alike and leaves something, and appends less than a stride or dilation."""
    a = node.attrs
    small = all(o < max(s, d) for o, s, d in zip(a["output_padding"], a["strides"], a["dilations"]))
    left = 0 not in spatial_sizes(node.output.type.shape, a["layout"])
    return small and left and all(before == after for before, after in a["padding"])


@form("conv_transpose")
def conv_transpose_module(node: Node) -> Form | None:
    """`nn.ConvTranspose2d`, where torch's own cropping fits."""
    weights = _weights(node)
    if weights is None or _accepts(node) or not _cropped_by_torch(node):
        return None
    a, shape = node.attrs, node.operand("weight").type.shape
    ctor = Name(f"nn.ConvTranspose{_spatial(node)}d")(
        hole(int(shape[0]), "in_channels"),
        hole(int(shape[1]) * a["groups"], "out_channels"),
        hole(squash([int(d) for d in shape[2:]]), "kernel_size"),
        stride=hole(squash(a["strides"]), "stride", 1),
        padding=hole(squash([before for before, _ in a["padding"]]), "padding", 0),
        output_padding=hole(squash(a["output_padding"]), "output_padding", 0),
        groups=hole(a["groups"], "groups", 1),
        bias=hole("bias" in weights, "bias", True),
        dilation=hole(squash(a["dilations"]), "dilation", 1),
        **_dtype(node),
    )
    return Form(ctor, weights, call=lambda c, module: back(node, module(first(c, node, c.x(node.operand("x"))))))


@rule("conv_transpose", accepts=_accepts)
def conv_transpose(c: Context, node: Node) -> Expr:
    a = node.attrs
    x = first(c, node, c.x(node.operand("x")))
    native = _cropped_by_torch(node)
    bias = c.operand(node, "bias")
    kwargs = {
        "stride": hole(squash(a["strides"]), "stride", 1),
        "padding": hole(squash([before for before, _ in a["padding"]]) if native else 0, "padding", 0),
        "output_padding": hole(squash(a["output_padding"]) if native else 0, "output_padding", 0),
        "groups": hole(a["groups"], "groups", 1),
        "dilation": hole(squash(a["dilations"]), "dilation", 1),
    }
    fn = getattr(F, f"conv_transpose{_spatial(node)}d")
    if native:
        return back(node, fn(x, c.x(node.operand("weight")), *([] if bias is None else [bias]), **kwargs))
    y = fn(x, c.x(node.operand("weight")), **kwargs)  # the whole result; cropped and extended by hand, bias last
    widths = [(-before, extra - after) for (before, after), extra in zip(a["padding"], a["output_padding"])]
    y = F.pad(y, tuple(p for pair in reversed(widths) for p in pair))
    if bias is not None:
        y = y + bias.reshape(-1, *([1] * _spatial(node)))
    return back(node, y)
