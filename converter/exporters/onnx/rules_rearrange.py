"""Padding, triangles, and blocks between space and depth."""

from __future__ import annotations

from typing import Any

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Node
from ir.ops.slicing import slice_attrs
from ir.types import dtypes


@expand("pad")
def simple_pad(b: Builder, node: Node, opset: int) -> Any:
    """Crops by a slice first; wraps by concatenation, where ONNX lacks it or repeats no more than once."""
    x, pads, mode = node.operand("x"), node.attrs["pads"], node.attrs["mode"]
    cropped = False
    for axis, (before, after) in enumerate(pads):
        low, high = (min(p, 0) if isinstance(p, int) else 0 for p in (before, after))
        if low or high:
            x = b.slice(x, **slice_attrs(axis, -low, high or None, 1))
            cropped = True
    grown = tuple(tuple(max(p, 0) if isinstance(p, int) else p for p in pair) for pair in pads)
    if all(p == 0 for pair in grown for p in pair):
        return b.identity(x)
    if mode == "wrap":
        return _wrapped(b, x, grown)
    if mode == "reflect" and not all(isinstance(p, int) for pair in grown for p in pair):
        raise NotImplementedError("reflecting a number of elements known only at run time")
    return b.pad(x, pads=grown, mode=mode, value=node.attrs["value"]) if cropped else None


def _wrapped(b: Builder, x: Any, pads: Any) -> Any:
    """Positions modulo the size, read by a gather along each axis."""
    for axis, (before, after) in enumerate(pads):
        if before == 0 and after == 0:
            continue
        size = x.type.shape[axis]
        ramp = b.arange(start=-before, stop=size + after, step=1, dtype=dtypes.int64)
        x = b.gather(x, b.mod(ramp, b.dim(size=size)), axis=axis)
    return x


@rule("pad")
def pad(c: Context, node: Node) -> Tensor:
    x, a = c.x(node, "x"), node.attrs
    pads = c.dims([p for p, _ in a["pads"]] + [p for _, p in a["pads"]])
    value = c.like(a["value"], x) if a["mode"] == "constant" and a["value"] else None
    return c.op("Pad", x, pads, value, mode=a["mode"])


def trilu(c: Context, node: Node) -> Tensor:
    """One triangle of the last two axes."""
    k = node.attrs["k"]
    offset = None if k == 0 else c.sizes.scalar(k)
    return c.op("Trilu", c.x(node, "x"), offset, upper=int(node.op.name == "triu"))


rule("tril", "triu")(trilu)


@expand("tril", "triu")
def triangle(b: Builder, node: Node, opset: int) -> Any:
    """Trilu exists from opset 14 on; its kernel refuses empty matrices."""
    x = node.operand("x").type
    plain = opset >= 14 and x.dtype.name in ("float32", "float64", "float16", "bfloat16", "int64", "bool") and 0 not in x.shape
    return None if plain else node.op.decompose(b, **node.operands, **node.attrs)  # type: ignore[misc]


def float_image(node: Node) -> str | None:
    """ONNX's block ops have channels first, and kernels for floats."""
    x = node.operand("x").type
    plain = node.attrs["layout"] == "channels_first" and x.dtype.is_float and x.rank == 4 and 0 not in x.shape
    return None if plain else "its layout or type is not ONNX's"


@rule("depth_to_space", accepts=float_image)
def depth_to_space(c: Context, node: Node) -> Tensor:
    return c.op("DepthToSpace", c.x(node, "x"), blocksize=node.attrs["block"], mode=node.attrs["mode"])


def dcr_image(node: Node) -> str | None:
    """SpaceToDepth has one order of channels."""
    return float_image(node) or (None if node.attrs["mode"] == "DCR" else "ONNX has the other order of channels only")


@rule("space_to_depth", accepts=dcr_image)
def space_to_depth(c: Context, node: Node) -> Tensor:
    return c.op("SpaceToDepth", c.x(node, "x"), blocksize=node.attrs["block"])
