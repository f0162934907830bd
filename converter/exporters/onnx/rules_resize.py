"""Resizing.

ONNX Runtime computes coordinates in float32. Where that picks the same elements, or only moves weights within
rounding, Resize is written; elsewhere, and for what Resize cannot say, each axis is a gather or a matrix of weights.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.layout import channels_first
from converter.exporters.onnx.rules_pool import along
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Node, Value
from ir.ops.resize import ROUND, antialiased, interpolated, nearest_picks, output_sizes, source_coordinates
from ir.types import DimExpr, dtypes, same

_ROUNDING = {"asymmetric": "floor", "half_pixel": "round_prefer_ceil"}
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
        if a["nearest"] in ("quotient", _ROUNDING.get(a["coordinates"])) and a["mode"] == "nearest":
            return _nearest_at_run_time(b, node, outs)
        raise NotImplementedError(
            f"resizing by {a['mode']} with {a['coordinates']} coordinates from or to symbolic sizes"
        )
    for axis, n, scale in zip(range(2, x.type.rank), outs, a["scales"] or (None,) * len(outs)):
        x = _one_axis(b, x, axis, int(n), scale, a)
    return b.identity(x)


def _static(sizes: tuple[Any, ...], what: str) -> tuple[int, ...]:
    if any(isinstance(d, DimExpr) for d in sizes):
        raise NotImplementedError(f"resizing by {what} to symbolic sizes")
    return tuple(int(d) for d in sizes)


def _one_axis(b: Builder, x: Value, axis: int, n: int, scale: float | None, a: Any) -> Value:
    size = int(x.type.shape[axis])
    if a["mode"] == "nearest":
        index = nearest_picks(size, n, scale, a["coordinates"], a["nearest"], x.type.rank - 2)
        if np.array_equal(index, np.arange(size)):
            return x
        return b.gather(x, b.constant(index, dtypes.int64), axis=axis)
    unit = np.eye(size)
    if a["antialias"]:
        matrix = antialiased(unit, n, scale, a["mode"], a["cubic_a"], a["exclude_outside"])
    else:
        at = source_coordinates(size, n, scale, a["coordinates"])
        matrix = interpolated(unit, at, a["mode"], a["cubic_a"], a["exclude_outside"])
    return x if np.array_equal(matrix, unit) else along(b, x, axis, matrix)


def _nearest_at_run_time(b: Builder, node: Node, outs: tuple[Any, ...]) -> Value:
    """A gather along each axis; the positions are computed from the sizes, as the kernels meant do."""
    a, x = node.attrs, node.operand("x")
    for axis, out, scale in zip(range(2, x.type.rank), outs, a["scales"] or (None,) * len(outs)):
        size = x.type.shape[axis]
        if isinstance(size, int) and isinstance(out, int):
            x = _one_axis(b, x, axis, out, scale, a)
            continue
        if same(size, out) is True and scale in (None, 1.0):
            continue
        if a["nearest"] == "quotient":
            index = _by_quotient(b, size, out, scale, a["coordinates"], copies=x.type.rank == 4)
        else:
            index = _by_integers(b, size, out, scale, a["coordinates"])
        x = b.gather(x, index, axis=axis)
    return x


def _by_integers(b: Builder, size: Any, out: Any, scale: float | None, coordinates: str) -> Value:
    """floor(i * size / out), or with centres floor((2i + 1) * size / (2 out)), exactly."""
    up, down = (size, out) if scale is None else reversed(Fraction(scale).as_integer_ratio())
    i = b.arange(start=0, stop=out, step=1, dtype=dtypes.int64)
    if coordinates == "half_pixel":
        i, down = b.add(b.mul(i, 2), 1), down * 2
    index = b.trunc_div(b.mul(i, b.dim(size=up)), b.dim(size=down))
    return b.minimum(index, b.dim(size=size - 1))


def _by_quotient(b: Builder, size: Any, out: Any, scale: float | None, coordinates: str, copies: bool) -> Value:
    i = b.arange(start=0, stop=out, step=1, dtype=dtypes.int64)
    have, want = b.dim(size=size), b.dim(size=out)
    if scale is None:
        step = b.div(b.cast(have, to=dtypes.float32), b.cast(want, to=dtypes.float32))
    else:
        step = b.constant(np.float32(1.0 / scale), dtypes.float32)
    at = b.cast(i, to=dtypes.float32)
    at = at if coordinates == "asymmetric" else b.add(at, 0.5)
    index = b.minimum(b.cast(b.floor(b.mul(at, step)), to=dtypes.int64), b.dim(size=size - 1))
    if coordinates == "asymmetric" and copies and scale is not None and not scale.is_integer():  # as large, or twice
        index = b.where(b.equal(want, b.mul(have, 2)), b.trunc_div(i, 2), index)
        index = b.where(b.equal(want, have), i, index)
    return index


def native(node: Node) -> bool:
    """Whether ONNX's Resize in ONNX Runtime computes the same."""
    a, x = node.attrs, node.operand("x").type
    if (
        a["coordinates"] not in NATIVE
        or a["antialias"]
        or a["exclude_outside"]
        or x.dtype.name == "float64"
        or 0 in (*x.shape, *_sizes(node))
    ):
        return False
    if x.dtype.is_integer and x.dtype not in (dtypes.int32, dtypes.int8, dtypes.uint8):
        return False
    if a["sizes"] is not None and a["scales"] is not None or _may_be_copied(a["scales"], x.shape[2:], _sizes(node)):
        return False
    if a["mode"] in ("linear", "cubic"):
        return x.rank == 4
    return _same_elements(node)


def _is_power_of_two(scale: float) -> bool:
    """Whether it is 1 or more: every quotient by it is exact."""
    return scale >= 1 and math.frexp(scale)[0] == 0.5


def _may_be_copied(scales: tuple[float, ...] | None, sizes: tuple[Any, ...], outs: tuple[Any, ...]) -> bool:
    """Whether the output may be as large as the input although a factor is not 1: ONNX Runtime then copies."""
    if scales is None or all(s == 1 for s in scales):
        return False
    if not any(isinstance(d, DimExpr) for d in (*sizes, *outs)):
        return tuple(sizes) == tuple(outs)
    return all(1 <= s < 1.5 for s in scales)


def _same_elements(node: Node) -> bool:
    """Whether float32 coordinates pick the same elements as exact ones; with symbolic sizes, whether they must."""
    a, x = node.attrs, node.operand("x").type
    outs = _sizes(node)
    if any(isinstance(d, DimExpr) for d in (*x.shape[2:], *outs)):
        plain = a["coordinates"] == "asymmetric" and _rounding(a) == "floor" and a["scales"] is not None
        whole = float.is_integer if a["nearest"] == "floor" else _is_power_of_two
        return plain and all(whole(float(s)) for s in a["scales"])
    for size, n, scale in zip(x.shape[2:], outs, a["scales"] or (None,) * len(outs)):
        exact = nearest_picks(int(size), int(n), scale, a["coordinates"], a["nearest"], x.rank - 2)
        near = _float32_picks(int(size), int(n), scale, a)
        if not np.array_equal(exact, near):
            return False
    return True


def _float32_picks(size: int, n: int, scale: float | None, a: Any) -> np.ndarray:
    """The elements that ONNX Runtime's kernel picks."""
    at = _float32_coordinates(size, n, scale, a["coordinates"])
    return np.clip(ROUND[_rounding(a)](at), 0, size - 1).astype(np.int64)


def _rounding(a: Any) -> str:
    """ONNX's word for how positions are rounded."""
    return _ROUNDING[a["coordinates"]] if a["nearest"] == "quotient" else a["nearest"]


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
        nearest_mode=_rounding(a) if a["mode"] == "nearest" else None,
        cubic_coeff_a=a["cubic_a"] if a["mode"] == "cubic" else None,
    )  # fmt: skip
