"""Positions of extremes, running totals, sorting."""

from __future__ import annotations

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import rule
from ir.core import Node
from ir.types import dtypes, normalize_axis

POSITIONS = {"argmax": "ArgMax", "argmin": "ArgMin"}


@rule(*POSITIONS)
def position(c: Context, node: Node) -> Tensor:
    a = node.attrs
    return c.op(
        POSITIONS[node.op.name], c.x(node, "x"), axis=a["axis"], keepdims=int(a["keepdims"]), select_last_index=int(a["select_last"])
    )


@rule("top_k")
def top_k(c: Context, node: Node) -> tuple[Tensor, ...]:
    a = node.attrs
    axis = normalize_axis(a["axis"], node.operand("x").type.rank)
    return c.op(  # type: ignore[no-any-return]
        "TopK", c.x(node, "x"), c.dims([a["k"]]), outputs=2, axis=axis, largest=int(a["largest"]), sorted=int(a["sorted"])
    )


@rule("cumsum")
def cumsum(c: Context, node: Node) -> Tensor:
    a = node.attrs
    axis = c.const(normalize_axis(a["axis"], node.operand("x").type.rank), dtypes.int64)
    return c.op("CumSum", c.x(node, "x"), axis, exclusive=int(a["exclusive"]), reverse=int(a["reverse"]))
