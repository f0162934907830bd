"""Positions of extremes, running totals, sorting."""

from __future__ import annotations

from typing import Any

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Graph, Node
from ir.types import dtypes, normalize_axis

POSITIONS = {"argmax": "ArgMax", "argmin": "ArgMin"}


@rule(*POSITIONS)
def position(c: Context, node: Node) -> Tensor:
    a = node.attrs
    if node.operand("x").type.dtype.is_float:
        c.note("the position of a maximum or minimum among NaNs is left open by the ONNX model")
    return c.op(
        POSITIONS[node.op.name], c.x(node, "x"), axis=a["axis"], keepdims=int(a["keepdims"]), select_last_index=int(a["select_last"])
    )


@rule("top_k")
def top_k(c: Context, node: Node) -> tuple[Tensor, ...]:
    a = node.attrs
    axis = normalize_axis(a["axis"], node.operand("x").type.rank)
    return c.op(
        "TopK", c.x(node, "x"), c.dims([a["k"]]), outputs=2, axis=axis, largest=int(a["largest"]), sorted=1
    )


@expand("cumprod")
def running_product(b: Builder, node: Node, opset: int) -> Any:
    """A Scan that multiplies in order: any other order overflows elsewhere."""
    x, a = node.operand("x"), node.attrs
    if a["exclusive"] or a["reverse"]:
        return node.op.decompose(b, **node.operands, **a)  # type: ignore[misc]
    axis = normalize_axis(a["axis"], x.type.rank)
    if x.type.shape[axis] == 0:
        return b.identity(x)
    row = x.type.with_shape(d for k, d in enumerate(x.type.shape) if k != axis)
    body = Graph("product")
    inputs = [body.add_input(row, name) for name in ("product", "row")]
    product = Builder(body, origin=node.origin).mul(*inputs)
    body.set_outputs([product, product])
    start = b.full(shape=row.shape, value=1, dtype=x.type.dtype)
    return b.scan(carried=(start,), scanned=(x,), axes=(axis,), output_axes=(axis,), body=body)[1]


@rule("cumsum")
def cumsum(c: Context, node: Node) -> Tensor:
    a = node.attrs
    axis = c.const(normalize_axis(a["axis"], node.operand("x").type.rank), dtypes.int64)
    return c.op("CumSum", c.x(node, "x"), axis, exclusive=int(a["exclusive"]), reverse=int(a["reverse"]))
