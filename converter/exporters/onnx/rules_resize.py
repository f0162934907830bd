"""Resizing.

ONNX Runtime computes coordinates in float32. Where that picks the same elements, or only moves weights within
rounding, Resize is written; elsewhere, and for what Resize cannot say, each axis is a gather or a matrix of weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.layout import channels_first
from converter.exporters.onnx.rules_pool import along
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Node, Value
from ir.ops.resize import antialiased, interpolated, output_sizes, source_coordinates
from ir.types import DimExpr, dtypes

NATIVE = {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"}


def _sizes(node: Node) -> tuple[Any, ...]:
    x = node.operand("x").type
    return output_sizes(x.shape[2:], node.attrs["sizes"], node.attrs["scales"])


@expand("resize")
def per_axis(b: Builder, node: Node, opset: int) -> Any:
    out = channels_first(b, node)
    a, x = node.attrs, node.operand("x")
    if out is not None:
        return out
    if a["mode"] == "area":
        return b.adaptive_avg_pool(x, output_size=_static(_sizes(node), "area"))
    if native(node):
        return None
    outs = _sizes(node)
    if any(isinstance(d, DimExpr) for d in (*x.type.shape[2:], *outs)):
        raise NotImplementedError(f"resizing by {a['mode']} with {a['coordinates']} coordinates from or to symbolic sizes")
    for axis, n, scale in zip(range(2, x.type.rank), outs, a["scales"] or (None,) * len(outs)):
        x = _one_axis(b, x, axis, int(n), scale, a)
    return x if x is not node.operand("x") else b.identity(x)


def _static(sizes: tuple[Any, ...], what: str) -> tuple[int, ...]:
    if any(isinstance(d, DimExpr) for d in sizes):
        raise NotImplementedError(f"resizing by {what} to symbolic sizes")
    return tuple(int(d) for d in sizes)


def _one_axis(b: Builder, x: Value, axis: int, n: int, scale: float | None, a: Any) -> Value:
    size = int(x.type.shape[axis])  # type: ignore[arg-type]
    at = source_coordinates(size, n, scale, a["coordinates"])
    if a["mode"] == "nearest":
        index = interpolated(np.arange(size), at, "nearest", a["nearest"], a["cubic_a"], False)
        if np.array_equal(index, np.arange(size)):
            return x
        return b.gather(x, b.constant(index, dtypes.int64), axis=axis, bounds="unchecked")  # type: ignore[no-any-return]
    unit = np.eye(size)
    if a["antialias"]:
        matrix = antialiased(unit, n, scale, a["mode"], a["cubic_a"], a["exclude_outside"])
    else:
        matrix = interpolated(unit, at, a["mode"], a["nearest"], a["cubic_a"], a["exclude_outside"])
    return x if np.array_equal(matrix, unit) else along(b, x, axis, matrix)


def native(node: Node) -> bool:
    """Whether ONNX's Resize in ONNX Runtime computes the same."""
    a, x = node.attrs, node.operand("x").type
    if a["coordinates"] not in NATIVE or a["antialias"] or a["exclude_outside"] or x.dtype.name == "float64" or 0 in x.shape:
        return False
    if x.dtype.is_integer and x.dtype not in (dtypes.int32, dtypes.int8, dtypes.uint8):
        return False
    if a["sizes"] is not None and a["scales"] is not None:
        return False
    if a["mode"] == "cubic":
        return x.rank == 4 and not a["exclude_outside"]
    if a["mode"] == "linear":
        return x.rank == 4
    return _same_elements(node)


def _same_elements(node: Node) -> bool:
    """Whether float32 coordinates pick the same elements as exact ones; with symbolic sizes, whether they must."""
    a, x = node.attrs, node.operand("x").type
    outs = _sizes(node)
    if any(isinstance(d, DimExpr) for d in (*x.shape[2:], *outs)):
        plain = a["coordinates"] == "asymmetric" and a["nearest"] == "floor"
        return plain and a["scales"] is not None and all(float(s).is_integer() for s in a["scales"])
    for size, n, scale in zip(x.shape[2:], outs, a["scales"] or (None,) * len(outs)):
        exact = source_coordinates(int(size), int(n), scale, a["coordinates"])  # type: ignore[arg-type]
        near = _float32_coordinates(int(size), int(n), scale, a["coordinates"])  # type: ignore[arg-type]
        picks = [interpolated(np.arange(int(size)), v, "nearest", a["nearest"], 0.0, False) for v in (exact, near)]  # type: ignore[arg-type]
        if not np.array_equal(picks[0], picks[1]):
            return False
    return True


def _float32_coordinates(size: int, n: int, scale: float | None, system: str) -> np.ndarray:
    """The coordinates as ONNX Runtime's kernels compute them."""
    one = np.float32
    i, factor = np.arange(n, dtype=one), one(n) / one(size) if scale is None else one(scale)
    if system == "align_corners":
        return (i * one(size - 1) / one(n - 1)).astype(np.float64) if n > 1 else np.zeros(n)
    if system == "asymmetric":
        return (i / factor).astype(np.float64)
    if system == "pytorch_half_pixel" and n <= 1:
        return np.zeros(n)
    return ((i + one(0.5)) / factor - one(0.5)).astype(np.float64)


@rule("resize")
def resize(c: Context, node: Node) -> Tensor:
    a = node.attrs
    sizes = scales = None
    if a["scales"] is not None:
        scales = c.const(np.array([1, 1, *a["scales"]]), dtypes.float32)
    else:
        shape = node.operand("x").type.shape
        sizes = c.dims((*shape[:2], *a["sizes"]))
    return c.op(
        "Resize", c.x(node, "x"), None, scales, sizes, mode=a["mode"], coordinate_transformation_mode=a["coordinates"],
        nearest_mode=a["nearest"] if a["mode"] == "nearest" else None,
        cubic_coeff_a=a["cubic_a"] if a["mode"] == "cubic" else None,
    )  # fmt: skip
