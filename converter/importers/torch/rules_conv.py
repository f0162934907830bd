"""ATen convolutions."""

from __future__ import annotations

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value


def _batched(c: TorchContext, x: Value, spatial: int) -> tuple[Value, bool]:
    """The input with a batch axis, and whether one was added."""
    if x.type.rank == spatial + 1:
        return c.b.unsqueeze(x, axes=(0,)), True
    return x, False


@rule(
    "aten.conv1d.default", "aten.conv2d.default", "aten.conv3d.default",
    "aten.conv1d.padding", "aten.conv2d.padding", "aten.conv3d.padding",
)  # fmt: skip
def conv(c: TorchContext, a: Call) -> Value:
    weight = a.value("weight")
    spatial = weight.type.rank - 2
    x, added = _batched(c, a.value("input"), spatial)
    dilations = a.ints("dilation", spatial)
    out = c.b.conv(
        x, weight, a.optional("bias"), strides=a.ints("stride", spatial), padding=_padding(c, a, weight, dilations),
        dilations=dilations, groups=a.lit("groups"),
    )  # fmt: skip
    return c.b.squeeze(out, axes=(0,)) if added else out


def _padding(c: TorchContext, a: Call, weight: Value, dilations: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Explicit pairs; "same" puts the odd element at the end (stride 1 only, which torch itself demands)."""
    if not isinstance(a.raw("padding"), str):
        return tuple((p, p) for p in a.ints("padding", len(dilations)))
    if a.lit("padding") == "valid":
        return ((0, 0),) * len(dilations)
    totals = [d * (int(k) - 1) for d, k in zip(dilations, weight.type.shape[2:], strict=True)]
    return tuple((t // 2, t - t // 2) for t in totals)


@rule("aten.conv_transpose1d.default", "aten.conv_transpose2d.input", "aten.conv_transpose3d.input")
def conv_transpose(c: TorchContext, a: Call) -> Value:
    weight = a.value("weight")
    spatial = weight.type.rank - 2
    x, added = _batched(c, a.value("input"), spatial)
    out = c.b.conv_transpose(
        x, weight, a.optional("bias"), strides=a.ints("stride", spatial),
        padding=tuple((p, p) for p in a.ints("padding", spatial)), output_padding=a.ints("output_padding", spatial),
        dilations=a.ints("dilation", spatial), groups=a.lit("groups"),
    )  # fmt: skip
    return c.b.squeeze(out, axes=(0,)) if added else out


@rule("aten.convolution.default")
def convolution(c: TorchContext, a: Call) -> Value:
    spatial = a.value("weight").type.rank - 2
    pads = tuple((p, p) for p in a.ints("padding", spatial))
    common = {"strides": a.ints("stride", spatial), "dilations": a.ints("dilation", spatial), "groups": a.lit("groups")}
    x, weight, bias = a.value("input"), a.value("weight"), a.optional("bias")
    extra = a.ints("output_padding", spatial)
    if a.lit("transposed"):
        return c.b.conv_transpose(x, weight, bias, padding=pads, output_padding=extra, **common)
    return c.b.conv(x, weight, bias, padding=pads, **common)
