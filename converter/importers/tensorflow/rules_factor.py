"""Factorisations, inverses, determinants."""

from __future__ import annotations

from typing import Any

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.rules_linalg import adjoint
from converter.importers.tensorflow.table import rule
from ir.core import Value


@rule("Cholesky")
def cholesky(c: TensorflowContext) -> Value:
    """Reads the lower triangle alone."""
    return c.b.cholesky(c.x(), upper=False)


@rule("Qr")
def qr(c: TensorflowContext) -> Any:
    return c.b.qr(c.x(), mode="complete" if c.attr("full_matrices") else "reduced")


@rule("Svd")
def svd(c: TensorflowContext) -> list[Value | None]:
    """Singular values, then both sets of vectors as columns."""
    vectors = c.attr("compute_uv")
    u, s, vh = c.b.svd(c.x(), full=bool(c.attr("full_matrices")) if vectors else False)
    return [s, u, adjoint(c, vh)] if vectors else [s, None, None]


@rule("SelfAdjointEigV2")
def self_adjoint_eig(c: TensorflowContext) -> list[Value | None]:
    """Reads the lower triangle alone."""
    values, vectors = c.b.eigh(c.x(), upper=False)
    return [values, vectors if c.attr("compute_v") else None]


@rule("Eig")
def eig(c: TensorflowContext) -> list[Value | None]:
    c.ignore("Tout")
    values, vectors = c.b.eig(c.x())
    return [values, vectors if c.attr("compute_v") else None]


@rule("MatrixInverse")
def inverse(c: TensorflowContext) -> Value:
    x = c.x()
    return c.b.inverse(adjoint(c, x) if c.attr("adjoint") else x)


@rule("MatrixSolve")
def solve(c: TensorflowContext) -> Value:
    x = c.x()
    return c.b.solve(adjoint(c, x) if c.attr("adjoint") else x, c.x(1))


@rule("MatrixTriangularSolve")
def triangular_solve(c: TensorflowContext) -> Value:
    """The adjoint of a lower triangle is an upper one."""
    x, upper = c.x(), not c.attr("lower")
    if c.attr("adjoint"):
        x, upper = adjoint(c, x), not upper
    return c.b.solve_triangular(x, c.x(1), upper=upper)


@rule("MatrixDeterminant")
def determinant(c: TensorflowContext) -> Value:
    return c.b.determinant(c.x())


@rule("LogMatrixDeterminant")
def log_determinant(c: TensorflowContext) -> Any:
    """Its sign, and the logarithm of its size, which is a complex number, too, for complex matrices."""
    sign, size = c.b.log_determinant(c.x())
    return sign, c.b.complex(size, 0.0) if sign.type.dtype.is_complex else size


@rule("Lu")
def lu(c: TensorflowContext) -> list[Value]:
    """The second result is the row that stands in each place."""
    x = c.x()
    size = x.type.shape[-2]
    if not isinstance(size, int):
        c.refuse("factors of matrices of open size", "fix the sizes of the last two axes")
    factors, pivots = c.b.lu(x)
    return [factors, c.cast(c.b.pivot_order(pivots, size=size), c.attr("output_idx_type"))]
