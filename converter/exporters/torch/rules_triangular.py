"""Factors in one matrix, exchanges of rows, triangles, reflections."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, lift
from converter.exporters.torch.context import TORCH, Context
from converter.exporters.torch.rules_special import supported
from converter.exporters.torch.table import rule
from ir.core import Node
from ir.types import dtypes


@rule("lu", accepts=supported)
def lu(c: Context, node: Node) -> tuple[Expr | None, ...]:
    result = TORCH.linalg.lu_factor_ex(c.x(node.operand("x")))
    return c.unpack(result, [*(bool(v.uses) for v in node.outputs), False], "lu")[:2]


@rule("pivot_order")
def pivot_order(c: Context, node: Node) -> Expr:
    """Where the ones of PyTorch's permutation matrix are; of the factors it reads the shape only."""
    pivots = node.operand("pivots")
    x = c.x(pivots)
    if pivots.type.dtype != dtypes.int32:
        x = x.to(TORCH.int32)
    shape = c.shape((*pivots.type.shape[:-1], node.attrs["size"], pivots.type.shape[-1]))
    result = TORCH.lu_unpack(TORCH.zeros(*shape, **c.device()), x, unpack_data=False)
    matrix = c.unpack(result, [True, False, False], "permutation")[0]
    assert matrix is not None
    return matrix.argmax(-2)


@rule("solve_triangular", accepts=supported)
def solve_triangular(c: Context, node: Node) -> Expr:
    a = node.attrs
    x, y = c.x(node.operand("x")), c.x(node.operand("y"))
    unit = {"unitriangular": lift(True)} if a["unit"] else {}
    return TORCH.linalg.solve_triangular(x, y, upper=lift(a["upper"]), **unit)


@rule("householder", accepts=supported)
def householder(c: Context, node: Node) -> tuple[Expr | None, ...]:
    return c.unpack(TORCH.geqrf(c.x(node.operand("x"))), [bool(v.uses) for v in node.outputs], "geqrf")


@rule("householder_product", accepts=supported)
def householder_product(c: Context, node: Node) -> Expr:
    return TORCH.linalg.householder_product(c.x(node.operand("x")), c.x(node.operand("tau")))
